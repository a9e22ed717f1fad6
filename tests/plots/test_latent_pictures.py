"""Pictures of latent spaces: each cell shows what the model decodes from its latent."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are drawn")

import scratchgen as sg
from scratchgen import plots
from scratchgen.ground import errors
from scratchgen.plots.sheets import side_by_side

SHAPE = (5, 4, 1)
RNG = np.random.default_rng(0)
X = RNG.random((6, *SHAPE)).astype(np.float32)


def vae(latent=3, **settings) -> sg.models.VAE:
    return sg.models.vae(SHAPE, latent=latent, hidden=(8,), rng=0, **settings)


def drawn(figure) -> np.ndarray:
    """The pixels of a sheet."""
    (image,) = figure.axes[0].images
    return np.asarray(image.get_array())


def sheet_of(x, columns) -> np.ndarray:
    return side_by_side(x, columns)[..., 0]


def test_a_line_has_equal_steps_and_both_ends():
    a, b = RNG.standard_normal((2, 4, 3))
    z = plots.interpolate(a, b, steps=5)
    assert z.shape == (4, 5, 3)
    np.testing.assert_array_equal(z[:, 0], a)
    np.testing.assert_array_equal(z[:, -1], b)
    np.testing.assert_allclose(np.diff(z, axis=1), np.broadcast_to((b - a)[:, None] / 4, (4, 4, 3)))


def test_a_circle_keeps_the_norm_and_has_equal_angles():
    a, b = RNG.standard_normal((2, 4, 3))
    a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) * 7 for z in (a, b))
    z = plots.interpolate(a, b, steps=6, along="circle")
    np.testing.assert_allclose(z[:, 0], a)
    np.testing.assert_allclose(z[:, -1], b)
    np.testing.assert_allclose(np.linalg.norm(z, axis=2), 7)
    cosines = (z[:, 1:] * z[:, :-1]).sum(axis=2) / 49
    np.testing.assert_allclose(cosines, np.broadcast_to(cosines[:, :1], cosines.shape))


def test_between_parallel_latents_the_circle_is_the_line():
    a = np.array([1.0, 2.0])
    for b in (a, 2 * a, -a, 0 * a):
        line = plots.interpolate(a, b, steps=4)
        np.testing.assert_allclose(plots.interpolate(a, b, steps=4, along="circle"), line)


def test_a_single_latent_is_shared_by_all_rows():
    a, b = np.zeros(3), RNG.standard_normal((4, 3))
    np.testing.assert_array_equal(plots.interpolate(a, b), plots.interpolate(np.zeros((4, 3)), b))
    np.testing.assert_array_equal(plots.interpolate(b, a), plots.interpolate(b, np.zeros((4, 3))))


def test_a_walk_shows_what_is_decoded_on_the_way_from_latents_or_from_examples():
    model = vae()
    a, b = model.encode(X[:3]), model.encode(X[3:])
    z = plots.interpolate(a, b, steps=7)
    expected = sheet_of(model.decode(z.reshape(21, 3)), 7)
    np.testing.assert_array_equal(drawn(plots.latent_walk(model, a, b, steps=7)), expected)
    np.testing.assert_array_equal(drawn(plots.latent_walk(model, X[:3], X[3:], steps=7)), expected)


def test_a_walk_of_a_gan_goes_from_draw_to_draw_of_its_prior():
    model = sg.models.gan(SHAPE, latent=3, hidden=(8,), rng=0)
    rng = np.random.default_rng(1)
    a, b = model.draw_latents(8, rng), model.draw_latents(8, rng)
    z = plots.interpolate(a, b, steps=4, along="circle")
    expected = sheet_of(model.decode(z.reshape(32, 3)), 4)
    figure = plots.latent_walk(model, steps=4, along="circle", rng=1)
    np.testing.assert_array_equal(drawn(figure), expected)
    from_one = plots.latent_walk(model, np.zeros(3), b, steps=4)
    assert drawn(from_one).shape == expected.shape


def test_a_row_of_a_walk_keeps_its_label():
    model = vae(n_labels=4)
    z = plots.interpolate(np.zeros((2, 3)), np.ones((2, 3)), steps=3)
    x = model.decode(z.reshape(6, 3), np.array([1, 1, 1, 2, 2, 2]))
    figure = plots.latent_walk(model, np.zeros((2, 3)), np.ones(3), steps=3, labels=[1, 2])
    np.testing.assert_array_equal(drawn(figure), sheet_of(x, 3))
    with pytest.raises(errors.OptionError, match="2 whole numbers from 0 to 3"):
        plots.latent_walk(model, np.zeros((2, 3)), steps=3)
    with pytest.raises(errors.ShapeError, match=r"labels has shape \(3,\), wants \(2,\)"):
        plots.latent_walk(model, np.zeros((2, 3)), steps=3, labels=[0, 1, 2])


def test_a_single_example_is_encoded_as_a_batch_of_one():
    model = vae()
    for start, stop in ((X[0], X[1]), (X[0].astype(np.float64), X[1:2])):
        figure = plots.latent_walk(model, start, stop, steps=4)
        expected = drawn(plots.latent_walk(model, X[:1], X[1:2], steps=4))
        np.testing.assert_array_equal(drawn(figure), expected)
    expected = drawn(plots.sweep(model, X[0]))
    np.testing.assert_array_equal(drawn(plots.sweep(model, X[:1])), expected)


def test_a_single_example_is_encoded_with_the_label_of_each_row():
    model = vae(n_labels=4)
    figure = plots.latent_walk(model, X[:2], X[2], steps=3, labels=[1, 3])
    expected = plots.latent_walk(model, X[:2], X[[2, 2]], steps=3, labels=[1, 3])
    np.testing.assert_array_equal(drawn(figure), drawn(expected))


def test_all_pictures_of_a_sweep_and_of_a_grid_have_one_label():
    model = vae(latent=2, n_labels=4)
    for draw in (plots.sweep, plots.latent_grid):
        expected = drawn(draw(model, labels=2))
        np.testing.assert_array_equal(drawn(draw(model, labels=[2])), expected)
        with pytest.raises(errors.OptionError, match="labels=, a whole number from 0 to 3"):
            draw(model)
        with pytest.raises(errors.ShapeError, match=r"labels has shape \(2,\), wants \(1,\)"):
            draw(model, labels=[1, 2])


def test_in_a_sweep_one_latent_moves_and_the_others_rest():
    model = vae()
    rest = model.encode(X[:1])[0]
    z = np.tile(rest.astype(np.float64), (2, 5, 1))
    z[0, :, 2] = z[1, :, 0] = np.linspace(-1, 2, 5)
    expected = sheet_of(model.decode(z.reshape(10, 3)), 5)
    for start in (rest, X[0]):
        figure = plots.sweep(model, start, latents=[2, 0], low=-1, high=2, steps=5)
        np.testing.assert_array_equal(drawn(figure), expected)
    assert [text.get_text() for text in figure.axes[0].texts] == ["z[2]", "z[0]"]


def test_a_sweep_has_a_row_for_each_of_the_first_eight_latents():
    for latent, rows in ((3, 3), (11, 8)):
        assert len(plots.sweep(vae(latent)).axes[0].texts) == rows


def test_the_cells_of_a_grid_are_equally_probable():
    model = vae(latent=2)
    figure = plots.latent_grid(model, steps=4)
    lowest = np.array([-1.1503493804, -1.1503493804])  # inverse normal of 1/8
    np.testing.assert_allclose(
        drawn(figure)[-5:, :4], model.decode(lowest[None])[0, ..., 0], rtol=1e-5
    )
    corner = np.array([1.1503493804, -1.1503493804])  # z[0] grows to the right
    np.testing.assert_allclose(
        drawn(figure)[-5:, -4:], model.decode(corner[None])[0, ..., 0], rtol=1e-5
    )
    assert drawn(figure).shape == (4 * 6 - 1, 4 * 5 - 1)


def test_models_of_points_are_drawn_as_lines_in_the_plane():
    model = sg.models.gan((2,), latent=2, hidden=(8,), rng=0)
    start, stop = np.zeros((3, 2)), np.ones((3, 2))
    lines = plots.latent_walk(model, start, stop, steps=4).axes[0].lines
    z = plots.interpolate(start, stop, steps=4)
    for row, line in zip(z, lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), model.decode(row))
    assert len(plots.sweep(model).axes[0].lines) == 2
    assert len(plots.latent_grid(model, steps=5).axes[0].lines) == 10


def test_a_path_is_written(tmp_path):
    model = vae(latent=2)
    plots.latent_walk(model, rng=0, path=tmp_path / "a.png")
    plots.sweep(model, path=tmp_path / "b.png")
    plots.latent_grid(model, path=tmp_path / "c.png")
    assert len(list(tmp_path.iterdir())) == 3


def test_what_does_not_fit_is_named():
    model, gan = vae(), sg.models.gan(SHAPE, latent=3, hidden=(8,), rng=0)
    with pytest.raises(
        errors.ShapeError, match=r"latents, \(N, 3\).*examples, \(N, 5, 4, 1\) or \(5, 4, 1\)"
    ):
        plots.latent_walk(model, np.zeros((2, 4)), np.zeros((2, 3)))
    with pytest.raises(errors.ShapeError, match=r"wants latents, \(N, 3\) or \(3,\)$"):
        plots.latent_walk(gan, X[:2], X[2:4])
    with pytest.raises(errors.ShapeError, match="from shape"):
        plots.latent_walk(model, np.zeros((2, 3)), np.zeros((4, 3)))
    with pytest.raises(errors.OptionError, match="'line', 'circle'"):
        plots.latent_walk(model, along="square")
    with pytest.raises(errors.OptionError, match="steps"):
        plots.latent_walk(model, steps=1)
    with pytest.raises(errors.ShapeError, match=r"\(2, 3\): wants one latent, or one example"):
        plots.sweep(model, np.zeros((2, 3)))
    with pytest.raises(errors.OptionError, match="at least one number"):
        plots.sweep(model, latents=[])
    np.testing.assert_array_equal(
        drawn(plots.sweep(model, latents=1)), drawn(plots.sweep(model, latents=[1]))
    )
    with pytest.raises(errors.OptionError, match="latents=3"):
        plots.sweep(model, latents=[3])
    with pytest.raises(errors.ShapeError, match="3 latents: wants 2"):
        plots.latent_grid(model)
    with pytest.raises(errors.ShapeError, match=r"examples of shape \(7,\)"):
        plots.sweep(sg.models.vae((7,), latent=2, rng=0))


@pytest.mark.parametrize("draw", [plots.latent_walk, plots.sweep, plots.latent_grid])
def test_what_is_no_model_or_no_path_is_named(draw):
    for other in ("vae", None, sg.models.VAE):
        with pytest.raises(errors.KindError, match=r"wants one of sg\.models"):
            draw(other)
    with pytest.raises(errors.KindError, match="3 is not a path"):
        draw(vae(latent=2), path=3)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_latents_that_are_not_finite_are_refused_without_a_warning(number):
    for draw in (plots.latent_walk, plots.sweep):
        with pytest.raises(errors.DataError, match="z holds NaN or infinity in 1 of 1"):
            draw(vae(), np.full(3, number))
