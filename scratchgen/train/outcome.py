"""Which weights a model has: those of the last step, their averages, or those of a good epoch.

training goes on from      the weights after the last step
its result is              their averages, if averages are kept, or else those weights
a step that failed         leaves the result of the last epoch that ended well
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ..ground.arguments import Array
from ..ground.errors import OptionError
from .trainer import Trainer


class Outcome:
    """The result of a trainer's steps, which its model is given at the end, or for a while."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        # vector and state that training goes on from, while the model has averages
        self._set_aside: tuple[Array, Array] | None = None
        self._went_back = False
        self.keep()

    def keep(self) -> None:
        """Keep the result so far, for `go_back`."""
        self.good, self.good_steps = self._result(), self._trainer.model_steps

    def go_back(self) -> None:
        """Give the model the result that was kept last; training cannot go on from there."""
        trainer = self._trainer
        trainer.model.block.restore(self.good)
        trainer.model_steps, trainer.is_moving = self.good_steps, False
        trainer.averages.clear()  # or `finish` would give the model these
        self._set_aside, self._went_back = None, True

    def is_sound(self) -> bool:
        """Whether the model stands at the end of a step, and all its numbers are finite."""
        return not self._trainer.is_moving and self._trainer.model.is_finite()

    def expect_unbroken(self) -> None:
        """OptionError where a step was broken off: training cannot go on from there."""
        if self._trainer.is_moving or self._went_back:
            raise broken_off()

    @contextmanager
    def with_averages(self) -> Iterator[None]:
        """Within its `with`, the model has the averages so far, if averages are kept."""
        if not self._trainer.averages or self._set_aside is not None:  # it has them already
            yield
            return
        self.finish()
        try:
            yield
        finally:
            self._take_up()

    def finish(self) -> None:
        """Give the model the result of training."""
        block = self._trainer.model.block
        if self._trainer.averages and self._set_aside is None:
            self._set_aside = block.snapshot()
        block.restore(self._result())

    def weights_of_training(self) -> tuple[Array, Array]:
        """The vector and the state that training goes on from, not copied."""
        block = self._trainer.model.block
        return self._set_aside or (block.vector, block.state)

    def _take_up(self) -> None:
        """Give the model the weights that training goes on from."""
        if self._set_aside is not None:
            self._trainer.model.block.restore(self._set_aside)
            self._set_aside = None

    def _result(self) -> tuple[Array, Array]:
        """Vector and state, with the averages of each network that has some."""
        trainer, block = self._trainer, self._trainer.model.block
        vector, state = block.snapshot()
        for name, (of_theta, of_state) in trainer.averages.items():
            if trainer.average and of_theta.t:
                vector[block.layout.slices[name]] = trainer.average.average(of_theta)
                state[block.layout.state_slices[name]] = trainer.average.average(of_state)
        return vector, state


def broken_off() -> OptionError:
    """The error for a run that cannot go on."""
    return OptionError(
        "a step of this run was broken off, so that it cannot go on: call finish(), and begin "
        "another run, or resume what was kept of this one"
    )
