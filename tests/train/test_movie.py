"""A movie of a training: its frames, its file, and that the training does not notice it."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: no movie is drawn")

from PIL import Image

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.plots import animations


@pytest.fixture(autouse=True)
def small_frames(monkeypatch) -> None:
    """Frames of few pixels, which are drawn sooner."""
    monkeypatch.setattr(animations, "DPI", 20)


def frames_of(path) -> list[np.ndarray]:
    """The pixels of each frame; equal neighbours are written as one."""
    frames = []
    with Image.open(path) as gif:
        for number in range(gif.n_frames):
            gif.seek(number)
            frames.append(np.asarray(gif.convert("RGB")))
    return frames


def gan(**settings) -> sg.models.GAN:
    return sg.models.gan((2,), latent=2, hidden=(8,), rng=0, **settings)


MODELS = {
    "gan of points": (lambda: gan(), {}),
    "vae of points": (lambda: sg.models.vae((2,), latent=2, hidden=(8,), rng=0), {}),
    "with averages": (lambda: gan(), {"average": 0.9}),
}


@pytest.mark.parametrize("unit", ["epochs", "steps"])
@pytest.mark.parametrize("name", MODELS)
def test_weights_and_history_are_those_of_a_training_without_a_movie(name, unit, points, tmp_path):
    build, settings = MODELS[name]
    plain, filmed = build(), build()
    settings = {"epochs": 3, "batch_size": 50, "seed": 0, **settings}
    without = sg.fit(plain, points, **settings)
    movie = sg.train.Movie(tmp_path / "movie.gif", unit=unit, n=20)
    assert sg.fit(filmed, points, **settings, callbacks=movie) == without
    np.testing.assert_array_equal(plain.vector, filmed.vector)
    np.testing.assert_array_equal(plain.state, filmed.state)


def test_there_is_a_frame_before_the_training_one_every_few_epochs_and_one_at_the_end(
    points, tmp_path
):
    for every, unit, between in ((1, "epochs", 5), (2, "epochs", 2), (3, "steps", 3)):
        movie = sg.train.Movie(tmp_path / "movie.gif", every=every, unit=unit, n=20)
        sg.fit(gan(), points, epochs=5, batch_size=150, seed=0, callbacks=movie)
        assert len(movie.animation.frames) == 1 + between + 1


def test_frames_show_the_same_latents_at_the_end_as_a_sample_with_the_seed(pictures, tmp_path):
    model = sg.models.vae((28, 28, 1), latent=2, hidden=(8,), rng=0)
    shown = []
    movie = sg.train.Movie(tmp_path / "movie.gif", n=4, seed=7)
    draw = movie.examples
    movie.examples = lambda model: shown.append(draw(model)) or shown[-1]
    sg.fit(model, pictures, epochs=1, seed=0, callbacks=movie)
    before = sg.models.vae((28, 28, 1), latent=2, hidden=(8,), rng=0)
    np.testing.assert_array_equal(shown[0], before.sample(4, rng=7))
    np.testing.assert_array_equal(shown[-1], model.sample(4, rng=7))


def test_a_function_of_the_model_says_what_is_drawn(pictures, tmp_path):
    model = sg.models.vae((28, 28, 1), latent=2, hidden=(8,), rng=0)
    movie = sg.train.Movie(
        tmp_path / "movie.gif", examples=lambda model: model.reconstruct(pictures[:9])
    )
    sg.fit(model, pictures, epochs=1, seed=0, callbacks=movie)
    assert len(frames_of(tmp_path / "movie.gif")) >= 2


def test_a_model_that_wants_labels_is_given_them_in_turn(pictures_with_labels, tmp_path):
    x, labels = pictures_with_labels
    model = sg.models.vae((28, 28, 1), latent=2, hidden=(8,), n_labels=10, rng=0)
    movie = sg.train.Movie(tmp_path / "movie.gif", n=12)
    sg.fit(model, x, labels=labels, epochs=1, seed=0, callbacks=movie)
    assert (tmp_path / "movie.gif").exists()


def test_an_interrupted_training_leaves_its_movie(points, tmp_path):
    def interrupt(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    movie = sg.train.Movie(tmp_path / "movie.gif", n=20)
    with pytest.raises(KeyboardInterrupt):
        sg.fit(gan(), points, epochs=9, seed=0, callbacks=[movie, interrupt])
    assert len(frames_of(tmp_path / "movie.gif")) >= 3


def test_a_long_training_keeps_a_bounded_number_of_frames_from_start_to_end(
    points, tmp_path, monkeypatch
):
    monkeypatch.setattr(animations, "MOST_FRAMES", 6)
    titles = []
    figure = animations.Animation._figure
    monkeypatch.setattr(
        animations.Animation, "_figure", lambda self, x, t: titles.append(t) or figure(self, x, t)
    )
    movie = sg.train.Movie(tmp_path / "movie.gif", n=20)
    sg.fit(gan(), points, epochs=40, batch_size=300, seed=0, callbacks=movie)
    assert len(movie.animation.frames) <= 6
    assert len(frames_of(tmp_path / "movie.gif")) >= 4
    assert titles[0] == "epoch 0"
    assert titles[-1] == "epoch 40"


def test_the_frames_that_are_kept_are_equally_far_apart():
    animation = animations.Animation(np.zeros((1, 2)))
    for number in range(1, 2_001):
        if animation.wants_next():
            animation.append(number)
        assert len(animation.frames) <= animations.MOST_FRAMES
    assert animation.frames[0] == 1
    assert set(np.diff(animation.frames)) == {16}


def test_a_notebook_displays_the_movie_that_is_written(points, tmp_path):
    movie = sg.train.Movie(tmp_path / "movie.gif", n=20)
    assert movie._repr_html_() is None
    sg.fit(gan(), points, epochs=1, seed=0, callbacks=movie)
    assert movie._repr_html_().startswith('<img src="data:image/gif;base64,R0lGOD')


def test_a_function_that_fails_ends_the_training_and_leaves_the_frames_before(points, tmp_path):
    calls = []

    def examples(model):
        calls.append(len(calls))
        return points[:9] * len(calls) if len(calls) < 3 else 1 / 0

    movie = sg.train.Movie(tmp_path / "movie.gif", examples=examples)
    with pytest.raises(ZeroDivisionError):
        sg.fit(gan(), points, epochs=9, seed=0, callbacks=movie)
    assert len(frames_of(tmp_path / "movie.gif")) == 2


def test_the_file_is_beside_the_training_even_if_a_callback_goes_elsewhere(
    points, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    movie = sg.train.Movie("movie.gif", n=20)
    callbacks = [movie, lambda run: monkeypatch.chdir(tmp_path / "elsewhere")]
    sg.fit(gan(), points, epochs=1, seed=0, callbacks=callbacks)
    assert (tmp_path / "movie.gif").exists()
    assert movie._repr_html_() is not None


def test_frames_that_are_all_equal_are_written_at_the_longest_time(points, tmp_path):
    animation = animations.Animation(points)
    for _ in range(animations.MOST_FRAMES):
        animation.add(points[:9], "")
    animation.write(tmp_path / "movie.gif", seconds=3)
    with Image.open(tmp_path / "movie.gif") as gif:
        assert gif.n_frames == 1


@pytest.mark.parametrize(
    ("settings", "problem", "words"),
    [
        ({"path": "movie.mp4"}, errors.OptionError, "ends in .gif"),
        ({"path": None}, errors.KindError, "not a path"),
        ({"seconds": 0}, errors.OptionError, "at least 0.01"),
        ({"seconds": 4}, errors.OptionError, "at most 3"),
        ({"examples": 3}, errors.KindError, "wants a function of the model"),
    ],
)
def test_settings_that_no_movie_can_have_are_refused_at_once(settings, problem, words):
    with pytest.raises(problem, match=words):
        sg.train.Movie(**{"path": "movie.gif", **settings})


@pytest.mark.parametrize("shown", [None, [["a", "b"]], np.zeros((3, 5)), np.zeros(3)])
def test_a_function_that_returns_no_points_is_refused_before_the_training(shown, points, tmp_path):
    model = gan()
    before = model.vector.copy()
    movie = sg.train.Movie(tmp_path / "movie.gif", examples=lambda model: shown)
    with pytest.raises(errors.ScratchgenError, match=r"what a movie shows|wants \(N, 2\)"):
        sg.fit(model, points, epochs=1, callbacks=movie)
    np.testing.assert_array_equal(model.vector, before)


def test_what_cannot_be_drawn_or_written_is_said_before_the_training(points, tmp_path):
    model = gan()
    before = model.vector.copy()
    with pytest.raises(errors.FileError, match="another place for the movie"):
        sg.fit(model, points, epochs=1, callbacks=sg.train.Movie(tmp_path / "no" / "movie.gif"))
    with pytest.raises(errors.OptionError, match="'epochs', 'steps'"):
        sg.train.Movie("movie.gif", unit="hours")
    with pytest.raises(errors.OptionError, match="every"):
        sg.train.Movie("movie.gif", every=0)
    wide = sg.models.vae((7,), latent=2, rng=0)
    x = np.random.default_rng(0).standard_normal((20, 7))
    with pytest.raises(errors.ShapeError, match="no animation is known"):
        sg.fit(wide, x, epochs=1, callbacks=sg.train.Movie(tmp_path / "movie.gif"))
    np.testing.assert_array_equal(model.vector, before)
    assert not list(tmp_path.iterdir())
