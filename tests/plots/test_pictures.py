"""Pictures: they are drawn with the right pixels for every kind of data, and displayed."""

import warnings

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are drawn")

import matplotlib
from matplotlib.image import imread

import scratchgen as sg
from scratchgen import plots
from scratchgen.ground import errors
from scratchgen.plots.latent_codes import principal_plane
from scratchgen.plots.sheets import side_by_side

pytestmark = pytest.mark.usefixtures("coarse", "slow_machine")
RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((50, 2))
GREY, COLOUR = RNG.random((7, 5, 4, 1)), RNG.random((7, 5, 4, 3))

PICTURES = {
    "grey sheet": lambda path: plots.sheet(GREY, path, title="a"),
    "colour sheet": lambda path: plots.sheet(COLOUR, path, columns=4),
    "sheet with names": lambda path: plots.sheet(COLOUR, path, columns=4, rows=["a", "b"]),
    "one pixel": lambda path: plots.sheet(RNG.random((1, 1, 1, 1)), path),
    "pairs": lambda path: plots.pairs(GREY, GREY, path),
    "cloud pairs": lambda path: plots.cloud_pairs(POINTS, POINTS, path),
    "cloud": lambda path: plots.cloud(POINTS, path),
    "cloud of classes": lambda path: plots.cloud(POINTS, path, np.arange(50) % 12),
    "cloud of many classes": lambda path: plots.cloud(POINTS, path, np.arange(50)),
    "losses": lambda path: plots.losses({"loss": [2.0, 1.0], "val_loss": [3.0, np.nan]}, path),
    "latents": lambda path: plots.latents(POINTS, path, np.arange(50) % 3),
    "a single latent": lambda path: plots.latents(POINTS[:, :1], path),
    "many latents": lambda path: plots.latents(RNG.standard_normal((50, 9)), path),
    "density": lambda path: plots.density(POINTS, POINTS + 1, path),
    "density of equal points": lambda path: plots.density(np.zeros((9, 2)), POINTS, path),
    "trajectories": lambda path: plots.trajectories({"a": POINTS}, path),
    "panels": lambda path: plots.panels([[("a", POINTS), ("b", POINTS)]], path),
    "data of pictures": lambda path: plots.show_data(GREY, path),
    "data of points": lambda path: plots.show_data(POINTS, path),
    "data of wide vectors": lambda path: plots.show_data(RNG.random((20, 6)), path),
    "benchmark": lambda path: plots.draw_bench({}, path),
}


# each draws a text of the user's wherever its picture has a text
WORDED = {
    "sheet": lambda path, text: plots.sheet(GREY, path, title=text, rows=[text]),
    "pairs": lambda path, text: plots.pairs(GREY, GREY, path, text),
    "cloud": lambda path, text: plots.cloud(POINTS, path, np.array([text, "b"] * 25), text),
    "cloud pairs": lambda path, text: plots.cloud_pairs(POINTS, POINTS, path, text),
    "losses": lambda path, text: plots.losses({text: [2.0, 1.0]}, path, text),
    "latents": lambda path, text: plots.latents(RNG.random((9, 4)), path, None, text),
    "density": lambda path, text: plots.density(POINTS, POINTS, path, text),
    "panels": lambda path, text: plots.panels([[(text, POINTS)]], path, text),
    "trajectories": lambda path, text: plots.trajectories({text: POINTS}, path, text, (text, text)),
    "data": lambda path, text: plots.show_data(RNG.random((20, 6)), path, None, text),
}
NO_POINTS = np.zeros((0, 2))
WITHOUT_EXAMPLES = {
    "sheet": lambda path: plots.sheet(GREY[:0], path),
    "pairs": lambda path: plots.pairs(GREY[:0], GREY[:0], path),
    "cloud": lambda path: plots.cloud(NO_POINTS, path),
    "cloud pairs": lambda path: plots.cloud_pairs(NO_POINTS, NO_POINTS, path),
    "latents": lambda path: plots.latents(NO_POINTS, path),
    "density without data": lambda path: plots.density(NO_POINTS, POINTS, path),
    "density without samples": lambda path: plots.density(POINTS, NO_POINTS, path),
    "no rows of panels": lambda path: plots.panels([], path),
    "no panels in a row": lambda path: plots.panels([[]], path),
    "panels": lambda path: plots.panels([[("a", NO_POINTS)]], path),
    "trajectories": lambda path: plots.trajectories({"a": NO_POINTS}, path),
    "data": lambda path: plots.show_data(np.zeros((0, 5)), path),
}


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_path_is_written_with_a_picture_that_is_not_blank(name, tmp_path):
    path = tmp_path / "picture.png"
    PICTURES[name](path)
    assert imread(path).std() > 0.01


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_without_a_path_the_figure_is_returned_and_displays_itself(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figure = PICTURES[name](None)
    assert not list(tmp_path.iterdir())
    (tmp_path / "displayed.png").write_bytes(figure._repr_png_())
    assert imread(tmp_path / "displayed.png").std() > 0.01


def test_a_figure_can_be_drawn_into_and_saved_afterwards(tmp_path):
    figure = plots.losses({"loss": [2.0, 1.0]})
    figure.axes[0].plot([1, 2], [3, 4], label="mine")
    figure.axes[0].set_title("$x^2$")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(tmp_path / "mine.svg")
    text = (tmp_path / "mine.svg").read_text()
    assert "mean per example" in text
    assert ">$x^2$</text>" not in text  # a formula, as the user meant it


def test_a_figure_is_displayed_without_pyplot():
    import subprocess
    import sys

    code = (
        "import sys, scratchgen as sg; png = sg.plots.losses({'loss': [2.0, 1.0]})._repr_png_();"
        "print(png[1:4].decode(), 'matplotlib.pyplot' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["PNG", "False"]


@pytest.mark.parametrize("name", WORDED)
def test_a_text_of_the_users_is_drawn_as_it_is_and_not_as_mathematics(name, tmp_path):
    text = r"a$b^$, $\frac{1}{2}$"
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # texts stay texts
        figure = WORDED[name](tmp_path / "written.svg", text)
        WORDED[name](None, text).savefig(tmp_path / "saved.svg")
    for file in ("written.svg", "saved.svg"):
        assert f">{text}</text>" in (tmp_path / file).read_text()
    assert figure._repr_png_()


def test_letters_that_no_font_or_file_has_are_drawn_as_something_else(tmp_path):
    for name, text in (("sheet", "数据"), ("cloud", "\udcff"), ("losses", "\x1b[31m")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure = WORDED[name](tmp_path / "picture.png", text)
            assert figure._repr_png_()
        assert imread(tmp_path / "picture.png").std() > 0.01


def test_the_numbers_at_an_axis_stay_powers_of_ten(tmp_path):
    def square(x):
        return x**2

    report = sg.check_pair(square, lambda dy, x: 2 * x * dy, args=(np.array([1.0, 2.0]),))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        report.plot(tmp_path / "report.svg")
    assert ">$" not in (tmp_path / "report.svg").read_text()  # as 10^-3 would be if taken literally


@pytest.mark.parametrize("name", WITHOUT_EXAMPLES)
def test_without_examples_there_is_no_picture(name, tmp_path):
    with pytest.raises(errors.ShapeError, match="at least one"):
        WITHOUT_EXAMPLES[name](tmp_path / "picture.png")


NO_PICTURES = {
    "a model in place of means": (lambda model: plots.latents(model), errors.KindError),
    "a model in place of points": (lambda model: plots.cloud(model), errors.KindError),
    "a model in place of data": (lambda model: plots.show_data(model), errors.KindError),
    "a model in place of pictures": (lambda model: plots.sheet(model), errors.KindError),
    "a model in place of a picture": (lambda model: plots.draw_report(model), errors.KindError),
    "points in space": (lambda _: plots.cloud(np.zeros((5, 3))), errors.ShapeError),
    "samples in space": (lambda _: plots.density(POINTS, np.zeros((5, 3))), errors.ShapeError),
    "one mean": (lambda _: plots.latents(np.zeros(3)), errors.ShapeError),
    "fewer reconstructions": (lambda _: plots.pairs(GREY, GREY[:2]), errors.ShapeError),
    "fewer points": (lambda _: plots.cloud_pairs(POINTS, POINTS[:2]), errors.ShapeError),
    "trajectories in space": (lambda _: plots.trajectories({"a": np.zeros((5, 3))}),
                              errors.ShapeError),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused_with_what_is_wanted(name):
    draw, error = NO_PICTURES[name]
    with pytest.raises(error, match="wants"):
        draw(sg.models.vae((2,), latent=1, hidden=(2,), rng=0))


def test_lists_are_drawn_as_arrays_are():
    figures = [plots.cloud(x) for x in (POINTS[:9], POINTS[:9].tolist())]
    assert figures[0]._repr_png_() == figures[1]._repr_png_()


def test_a_history_without_epochs_and_no_trajectories_are_drawn_without_a_legend():
    for figure in (plots.losses({}), plots.losses({"loss": []}), plots.trajectories({})):
        assert figure.axes[0].get_legend() is None
        assert figure._repr_png_()


def test_a_sheet_holds_every_picture_in_its_place():
    canvas = side_by_side(GREY, 3)
    assert canvas.shape == (3 * 6 - 1, 3 * 5 - 1, 1)
    for i, picture in enumerate(GREY):
        top, left = i // 3 * 6, i % 3 * 5
        assert np.array_equal(canvas[top : top + 5, left : left + 4], picture)


def test_grey_pictures_are_drawn_the_same_with_and_without_their_channel_axis(tmp_path):
    for draw in (plots.sheet, plots.show_data, lambda x, path: plots.pairs(x, 1 - x, path)):
        draw(GREY, tmp_path / "with.png")
        draw(GREY[..., 0], tmp_path / "without.png")
        assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


def test_a_chart_shows_columns_in_any_units(tmp_path):
    x = RNG.random((20, 4)) * 512 // 1
    x[:, 3] = 1  # constant
    for name, units, offsets in (
        ("large", [1, 1, 2**20, 1], 0),
        ("far", [4, 1, 1, 1], [0, 0, 2**20, 0]),
    ):
        plots.show_data(x * units + offsets, tmp_path / f"{name}.png")
    assert (tmp_path / "large.png").read_bytes() == (tmp_path / "far.png").read_bytes()
    plots.show_data(x, tmp_path / "same.png")
    assert (tmp_path / "large.png").read_bytes() != (tmp_path / "same.png").read_bytes()
    plots.show_data(np.ones((3, 4)), tmp_path / "constant.png")


def test_points_whose_columns_are_in_different_units_fill_their_picture():
    for units, aspect in (([1, 1], 1.0), ([3, 1], 1.0), ([1e-3, 1e3], "auto")):
        x = POINTS * units
        figures = plots.cloud(x), plots.cloud_pairs(x, x), plots.density(x, x)
        aspects = [axes.get_aspect() for figure in figures for axes in figure.axes]
        assert aspects == [aspect] * 4


def test_the_principal_plane_holds_the_directions_of_the_largest_spread():
    x = RNG.standard_normal((20_000, 4)) * [1, 3, 0.1, 2]
    flat, share = principal_plane(x)
    np.testing.assert_allclose(flat.std(axis=0), [3, 2], rtol=0.03)
    np.testing.assert_allclose(share, [9 / 14.01, 4 / 14.01], rtol=0.05)


def test_what_cannot_be_drawn_or_written_is_named(tmp_path):
    with pytest.raises(errors.ShapeError, match="no picture is known"):
        plots.show_data(np.zeros((3, 4, 4, 2)))
    with pytest.raises(errors.ShapeError, match=r"x\[\.\.\., :1\] is the first"):
        plots.show_data(np.zeros((3, 4, 4, 2)))
    with pytest.raises(errors.ShapeError, match=r"np\.moveaxis\(x, 1, -1\)"):
        plots.sheet(np.zeros((5, 3, 4, 4)))
    for shape in ((0, 4, 4, 1), (3, 4, 4, 2), (3, 4)):
        with pytest.raises(errors.ShapeError, match="a sheet got pictures of shape"):
            plots.sheet(np.zeros(shape))
    with pytest.raises(errors.FileError, match="cannot be written"):
        plots.cloud(POINTS, tmp_path / "no" / "x.png")
    with pytest.raises(errors.FileError, match=r"ends in \.png"):
        plots.cloud(POINTS, tmp_path / "x.docx")


def test_a_run_of_an_odd_shape_is_pictured(tmp_path):
    """Runs on points and on grey pictures are pictured in the tests of `scratchgen train`."""
    from scratchgen.command import run_pictures

    for shape in ((1,), (3,), (4, 4), (4, 4, 2), (2, 2, 3)):
        folder = tmp_path / "-".join(map(str, shape))
        folder.mkdir()
        x = RNG.random((30, *shape)).astype(np.float32)
        model = sg.models.vae(shape, latent=2, hidden=(4,), rng=0)
        run_pictures.draw_pictures(folder, model, {"loss": [1.0]}, x, None)
        assert (folder / "losses.png").exists()
        assert not (folder / "density.png").exists()


def test_labels_and_columns_that_no_picture_can_have_are_named():
    points = np.zeros((5, 2))
    for draw in (plots.cloud, plots.latents):
        with pytest.raises(errors.ShapeError, match=r"labels has shape \(3,\), wants \(5,\)"):
            draw(points, labels=[0, 1, 2])
    with pytest.raises(errors.OptionError, match="columns=-1"):
        plots.sheet(np.zeros((3, 4, 4)), columns=-1)
