"""GaussianNoise adds noise in training, and nothing in evaluation.

    y = x + std noise,   noise ~ N(0, I)                   (1)
    dx = dy,   v = u,   du = dv                            (2)

In front of a discriminator it is the instance noise of Sønderby et al. 2017: real and fake examples
overlap, so the discriminator cannot tell them apart by details too small to see.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from .. import kernels
from ..ground.arguments import Array, Shape, expect_floats, finite
from ..ground.parts import setting
from .draw import Draw
from .layer import Layer, Views
from .tape import Tape


@dataclass(frozen=True, eq=False)
class GaussianNoise(Layer):
    """Any shape -> the same shape. In training it needs `rng` on its tape.

    >>> GaussianNoise(0.4).out_shape((784,))
    (784,)
    """

    std: float = setting(check=finite, text="standard deviation of the noise")
    formula: ClassVar[str] = "y = x + std noise"
    example_wise: ClassVar[bool] = True

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        expect_floats(x, self)
        if not tape.training:
            return x
        rng = tape.given("rng", f"{self} draws its noise from it in training")
        noise = kernels.standard_normal(rng, x.shape, x.dtype)  # shaped like x
        return kernels.add_scaled(x, noise, self.std)  # (1)

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return dy if need_dx else None  # (2)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return u  # (2)

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        return SimpleNamespace(x=dy, u=dv) if need_dx else None  # (2)

    @classmethod
    def example(cls, draw: Draw) -> tuple[Layer, Shape]:
        return cls(draw.number(0, 2)), draw.shape()
