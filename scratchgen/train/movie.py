"""A movie of a training: samples from the same latents, again and again, as a GIF.

sg.fit(model, x, epochs=20, callbacks=sg.train.Movie("training.gif"))
sg.fit(model, x, epochs=20, callbacks=sg.train.Movie("training.gif", every=50, unit="steps"))
"""

import base64
from collections.abc import Callable
from typing import Any

from ..ground.arguments import Array, can_be_drawn, finite, one_of, user_path, whole
from ..ground.errors import KindError, OptionError, cut
from ..ground.keywords import ExplainsKeywords
from ..ground.writing import PathLike, expect_path, expect_writable
from ..models import Model
from .callbacks import Callback
from .run import Run

PICTURES, POINTS = 64, 1_000  # drawn by default
# A GIF counts hundredths of a second, and up to 65,535 for frames that are equal, all 200 perhaps.
SHORTEST, LONGEST = 0.01, 3.0


class Movie(ExplainsKeywords, Callback):
    """A callback that draws samples before the training, every few epochs or steps, and at its end.

    The samples are drawn from a random stream of their own, which begins anew for each frame, so
    that the weights are those of a training without a movie, to the bit. The file is written when
    the training ends, even by an interrupt or an error. A notebook displays it. A long training
    keeps 200 frames at most; plots/animations.py says how.

    Args:
        path: the GIF to write, whose name ends in .gif.
        every, unit: a frame for so many "epochs" or "steps".
        n: samples in a frame; None is 64 pictures, or 1,000 points.
        seed: of their latents.
        labels: (n,), or one for all, for a model that wants labels; None takes 0, 1, 2 ... in turn.
        examples: what to draw instead of samples: a function of the model that returns pictures
            (N, *shape) or points (N, 2), such as reconstructions.
        seconds: for which each frame is shown, from 0.01 to 3.

    Raises OptionError or KindError. When the training begins it raises MissingExtraError without
    matplotlib, ShapeError where examples are neither pictures nor points, and FileError where the
    path cannot be written.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        every: int = 1,
        unit: str = "epochs",
        n: int | None = None,
        seed: int = 0,
        labels: Any = None,
        examples: Callable[[Model], Array] | None = None,
        seconds: float = 0.15,
    ) -> None:
        expect_path(path)
        if user_path(path).suffix.lower() != ".gif":
            raise OptionError(
                f"path={str(path)!r}: a movie is a GIF, wants a name that ends in .gif"
            )
        if not (examples is None or callable(examples)):
            raise KindError(f"examples={cut(repr(examples))}: wants a function of the model")
        self.path, self.labels = path, labels
        self.every = whole(every, "every", least=1)
        self.unit = one_of(unit, ("epochs", "steps"), "unit")
        self.n = None if n is None else whole(n, "n", least=1)
        self.seed = whole(seed, "seed")
        self.examples = self._samples if examples is None else examples
        self.seconds = finite(seconds, "seconds", least=SHORTEST)
        if self.seconds > LONGEST:
            raise OptionError(f"seconds={seconds!r}: wants a number of at most {LONGEST:g}")

    def on_start(self, run: Run) -> None:
        from .. import plots

        expect_writable(self.path, "name another place for the movie")
        self.file = user_path(self.path).absolute()  # a callback may go to another folder
        self.size = self.n or (PICTURES if can_be_drawn(run.model.shape) else POINTS)
        self.animation = plots.Animation(run.model.in_units(run.data.x[: self.size]))
        self._draw(run)

    def on_step(self, run: Run) -> None:
        if self.unit == "steps" and run.steps % self.every == 0:
            with run.with_averages():
                self._draw(run)

    def on_epoch(self, run: Run) -> None:
        if self.unit == "epochs" and run.epoch % self.every == 0:
            self._draw(run)

    def wants_steps(self) -> bool:
        return self.unit == "steps"

    def on_end(self, run: Run) -> None:
        try:
            self._add(run)
        finally:  # the frames so far, where `examples` is what ended the training
            self.animation.write(self.file, self.seconds)

    def _draw(self, run: Run) -> None:
        if self.animation.wants_next():
            self._add(run)

    def _add(self, run: Run) -> None:
        title = f"epoch {run.epoch}" if self.unit == "epochs" else f"step {run.steps:,}"
        self.animation.add(self.examples(run.model), title)

    def _samples(self, model: Any) -> Array:
        """Samples, the same latents each time; of points, draws of p(x|z) and not its means."""
        labels = self.labels
        if labels is None and model.n_labels:
            labels = [number % model.n_labels for number in range(self.size)]
        noise = {"noise": True} if model.has_likelihood and model.shape == (2,) else {}
        x: Array = model.sample(self.size, rng=self.seed, labels=labels, **noise)
        return x

    def _repr_html_(self) -> str | None:
        """The movie, where it is written already."""
        if not hasattr(self, "animation") or not self.file.is_file():
            return None
        data = base64.b64encode(self.file.read_bytes()).decode()
        return f'<img src="data:image/gif;base64,{data}" alt="samples during training">'
