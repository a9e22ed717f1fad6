"""Pictures: that they are made, of the right pixels, for every kind of data."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are made")

import matplotlib
from matplotlib.image import imread

import scratchgen as sg
from scratchgen import plots
from scratchgen.ground import errors
from scratchgen.plots.pictures import _side_by_side, principal_plane

pytestmark = pytest.mark.usefixtures("coarse", "slow_machine")
RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((50, 2))
GREY, COLOUR = RNG.random((7, 5, 4, 1)), RNG.random((7, 5, 4, 3))

PICTURES = {
    "grey sheet": lambda path: plots.sheet(GREY, path, title="a"),
    "colour sheet": lambda path: plots.sheet(COLOUR, path, columns=4),
    "one pixel": lambda path: plots.sheet(RNG.random((1, 1, 1, 1)), path),
    "pairs": lambda path: plots.pairs(GREY, GREY, path),
    "cloud pairs": lambda path: plots.cloud_pairs(POINTS, POINTS, path),
    "cloud": lambda path: plots.cloud(POINTS, path),
    "cloud of classes": lambda path: plots.cloud(POINTS, path, np.arange(50) % 12),
    "cloud of many classes": lambda path: plots.cloud(POINTS, path, np.arange(50)),
    "losses": lambda path: plots.losses({"loss": [2.0, 1.0], "val_loss": [3.0, np.nan]}, path),
    "latents": lambda path: plots.latents(POINTS, path, np.arange(50) % 3),
    "latents of one": lambda path: plots.latents(POINTS[:, :1], path),
    "latents of many": lambda path: plots.latents(RNG.standard_normal((50, 9)), path),
    "density": lambda path: plots.density(POINTS, POINTS + 1, path),
    "density of one point": lambda path: plots.density(np.zeros((9, 2)), POINTS, path),
    "walks": lambda path: plots.walks({"a": POINTS}, path),
    "panels": lambda path: plots.panels([[("a", POINTS), ("b", POINTS)]], path),
    "data of pictures": lambda path: plots.show_data(GREY, path),
    "data of points": lambda path: plots.show_data(POINTS, path),
    "data of wide vectors": lambda path: plots.show_data(RNG.random((20, 6)), path),
}


# each with a text of a user's, at every place where a picture has one
WORDED = {
    "sheet": lambda path, text: plots.sheet(GREY, path, title=text),
    "pairs": lambda path, text: plots.pairs(GREY, GREY, path, text),
    "cloud": lambda path, text: plots.cloud(POINTS, path, np.array([text, "b"] * 25), text),
    "cloud pairs": lambda path, text: plots.cloud_pairs(POINTS, POINTS, path, text),
    "losses": lambda path, text: plots.losses({text: [2.0, 1.0]}, path, text),
    "latents": lambda path, text: plots.latents(RNG.random((9, 4)), path, None, text),
    "density": lambda path, text: plots.density(POINTS, POINTS, path, text),
    "panels": lambda path, text: plots.panels([[(text, POINTS)]], path, text),
    "walks": lambda path, text: plots.walks({text: POINTS}, path, text, (text, text)),
    "data": lambda path, text: plots.show_data(RNG.random((20, 6)), path, None, text),
}
NONE = np.zeros((0, 2))
OF_NOTHING = {
    "sheet": lambda path: plots.sheet(GREY[:0], path),
    "pairs": lambda path: plots.pairs(GREY[:0], GREY[:0], path),
    "cloud": lambda path: plots.cloud(NONE, path),
    "cloud pairs": lambda path: plots.cloud_pairs(NONE, NONE, path),
    "latents": lambda path: plots.latents(NONE, path),
    "density of no data": lambda path: plots.density(NONE, POINTS, path),
    "density of no samples": lambda path: plots.density(POINTS, NONE, path),
    "no panels": lambda path: plots.panels([], path),
    "no clouds": lambda path: plots.panels([[]], path),
    "panels": lambda path: plots.panels([[("a", NONE)]], path),
    "walks": lambda path: plots.walks({"a": NONE}, path),
    "data": lambda path: plots.show_data(np.zeros((0, 5)), path),
}


@pytest.mark.parametrize("name", WORDED)
def test_a_text_of_a_users_is_drawn_as_it_is_and_not_as_mathematics(name, tmp_path):
    text = r"a$b^$, $\frac{1}{2}$"
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # texts stay texts
        WORDED[name](tmp_path / "picture.svg", text)
    assert f">{text}</text>" in (tmp_path / "picture.svg").read_text()


def test_letters_that_no_font_or_file_has_are_drawn_as_something_else(tmp_path):
    for name, text in (("sheet", "数据"), ("cloud", "\udcff"), ("losses", "\x1b[31m")):
        WORDED[name](tmp_path / "picture.png", text)
        assert imread(tmp_path / "picture.png").std() > 0.01


def test_the_numbers_at_an_axis_stay_powers_of_ten(tmp_path):
    def right(x):
        return x**2

    report = sg.check_pair(right, lambda dy, x: 2 * x * dy, args=(np.array([1.0, 2.0]),))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        report.plot(tmp_path / "report.svg")
    assert ">$" not in (tmp_path / "report.svg").read_text()  # as 10^-3 is, taken literally


@pytest.mark.parametrize("name", OF_NOTHING)
def test_of_no_examples_there_is_no_picture(name, tmp_path):
    with pytest.raises(errors.ShapeError, match=r"at least one|wants one"):
        OF_NOTHING[name](tmp_path / "picture.png")


def test_a_history_of_no_epochs_and_walks_of_nobody_are_drawn_without_a_legend(tmp_path):
    for history in ({}, {"loss": []}):
        plots.losses(history, tmp_path / "picture.png")
    plots.walks({}, tmp_path / "picture.png")


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_is_made_and_is_not_blank(name, tmp_path):
    path = tmp_path / "picture.png"
    PICTURES[name](path)
    assert imread(path).std() > 0.01


def test_a_sheet_holds_every_picture_in_its_place():
    canvas = _side_by_side(GREY, 3)
    assert canvas.shape == (3 * 6 - 1, 3 * 5 - 1, 1)
    for i, picture in enumerate(GREY):
        top, left = i // 3 * 6, i % 3 * 5
        assert np.array_equal(canvas[top : top + 5, left : left + 4], picture)


@pytest.mark.usefixtures("coarse")
def test_grey_pictures_are_drawn_the_same_with_and_without_their_channel_axis(tmp_path):
    for draw in (plots.sheet, plots.show_data, lambda x, path: plots.pairs(x, 1 - x, path)):
        draw(GREY, tmp_path / "with.png")
        draw(GREY[..., 0], tmp_path / "without.png")
        assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


@pytest.mark.usefixtures("coarse")
def test_a_chart_shows_columns_in_any_units(tmp_path):
    x = RNG.random((20, 4)) * 512 // 1
    x[:, 3] = 1  # constant
    for name, units, offsets in (
        ("one", [1, 1, 2**20, 1], 0),
        ("other", [4, 1, 1, 1], [0, 0, 2**20, 0]),
    ):
        plots.show_data(x * units + offsets, tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    plots.show_data(x, tmp_path / "same.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "same.png").read_bytes()
    plots.show_data(np.ones((3, 4)), tmp_path / "constant.png")


def test_points_in_two_units_fill_their_picture(monkeypatch):
    figures = []
    monkeypatch.setattr("scratchgen.plots.pictures.save_figure", lambda f, _: figures.append(f))
    for units, aspect in (([1, 1], 1.0), ([3, 1], 1.0), ([1e-3, 1e3], "auto")):
        x = POINTS * units
        plots.cloud(x, "")
        plots.cloud_pairs(x, x, "")
        plots.density(x, x, "")
        found = [axes.get_aspect() for figure in figures for axes in figure.axes]
        assert found == [aspect] * 4
        figures.clear()


def test_the_principal_plane_holds_the_directions_of_the_largest_spread():
    x = RNG.standard_normal((20_000, 4)) * [1, 3, 0.1, 2]
    flat, share = principal_plane(x)
    np.testing.assert_allclose(flat.std(axis=0), [3, 2], rtol=0.03)
    np.testing.assert_allclose(share, [9 / 14.01, 4 / 14.01], rtol=0.05)


def test_what_cannot_be_drawn_or_written_is_named(tmp_path):
    with pytest.raises(errors.ShapeError, match="no picture is known"):
        plots.show_data(np.zeros((3, 4, 4, 2)), tmp_path / "x.png")
    with pytest.raises(errors.ShapeError, match=r"x\[\.\.\., :1\] is the first"):
        plots.show_data(np.zeros((3, 4, 4, 2)), tmp_path / "x.png")
    with pytest.raises(errors.ShapeError, match=r"np\.moveaxis\(x, 1, -1\)"):
        plots.sheet(np.zeros((5, 3, 4, 4)), tmp_path / "x.png")
    for shape in ((0, 4, 4, 1), (3, 4, 4, 2), (3, 4)):
        with pytest.raises(errors.ShapeError, match="a sheet got pictures of shape"):
            plots.sheet(np.zeros(shape), tmp_path / "x.png")
    with pytest.raises(errors.FileError, match="cannot be written"):
        plots.cloud(POINTS, tmp_path / "no" / "x.png")
    with pytest.raises(errors.FileError, match=r"ends in \.png"):
        plots.cloud(POINTS, tmp_path / "x.docx")


def test_a_run_of_an_odd_shape_is_pictured(tmp_path):
    """Those of points and of grey pictures are pictured where `scratchgen train` is tested."""
    from scratchgen.command import folders

    for shape in ((1,), (3,), (4, 4), (4, 4, 2), (2, 2, 3)):
        folder = tmp_path / "-".join(map(str, shape))
        folder.mkdir()
        x = RNG.random((30, *shape)).astype(np.float32)
        model = sg.models.vae(shape, latent=2, hidden=(4,), rng=0)
        folders.draw_pictures(folder, model, {"loss": [1.0]}, x, None)
        assert (folder / "losses.png").exists()
        assert not (folder / "density.png").exists()
