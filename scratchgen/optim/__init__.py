"""Optimizers on flat vectors, schedules of their learning rate, and averages of the weights.

An optimizer is one line here, and one file, which has its mathematics and the settings at which it
is checked.
"""

from ..ground.parts import parts_in  # noqa: I001 # optimizers in the order in which they are listed

from .descent import SGD as SGD
from .momentum import Momentum as Momentum
from .momentum import Nesterov as Nesterov
from .rmsprop import RMSProp as RMSProp
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .clipping import ClipNorm as ClipNorm

from .averaging import MovingAverage as MovingAverage
from .descent import Optimizer as Optimizer
from .description import build as build
from .description import describe as describe
from .description import recorded as recorded
from .optimizers import OPTIMIZERS as OPTIMIZERS
from .optimizers import optimizer_for as optimizer_for
from .schedules import SCHEDULES as SCHEDULES
from .schedules import Chain as Chain
from .schedules import Constant as Constant
from .schedules import Cosine as Cosine
from .schedules import LinearDecay as LinearDecay
from .schedules import Schedule as Schedule
from .schedules import StepDecay as StepDecay
from .schedules import WarmUp as WarmUp

OPTIMIZERS.update(parts_in(vars(), Optimizer, MovingAverage))
