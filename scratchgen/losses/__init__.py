"""Losses: a value for each example, and its gradients.

A game or a penalty is one line here, and one file, which has its mathematics; a penalty also has
the settings at which it is checked.
"""

from ..ground.parts import parts_in  # noqa: I001 # games and penalties in the order of their lists

from .games import MINIMAX as MINIMAX
from .games import NON_SATURATING as NON_SATURATING
from .games import LEAST_SQUARES as LEAST_SQUARES
from .games import HINGE as HINGE
from .games import WASSERSTEIN as WASSERSTEIN

from .penalties import GradientPenalty as GradientPenalty
from .penalties import R1 as R1

from .classes import cross_entropy as cross_entropy
from .games import LOSSES as LOSSES
from .games import AdversarialLoss as AdversarialLoss
from .games import discriminator_loss as discriminator_loss
from .games import generator_loss as generator_loss
from .importance import importance_weights as importance_weights
from .penalties import PENALTIES as PENALTIES
from .penalties import Penalty as Penalty
from .penalties import mean_penalty as mean_penalty
from .penalties import penalise as penalise
from .penalties import points as points

LOSSES.update(parts_in(vars(), AdversarialLoss))
PENALTIES.update(parts_in(vars(), Penalty))
