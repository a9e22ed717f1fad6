"""Layers, networks, and the two kinds of memory they work on: blocks and tapes.

A layer is one line here, and one file, which has its mathematics and the examples at which it is
checked.
"""

from ..ground.parts import parts_in  # noqa: I001 # layers in the order in which they are listed

from .dense import Dense as Dense
from .tied import Tied as Tied
from .rectifiers import ReLU as ReLU
from .rectifiers import LeakyReLU as LeakyReLU
from .rectifiers import ELU as ELU
from .sigmoids import Tanh as Tanh
from .sigmoids import Sigmoid as Sigmoid
from .sigmoids import Softplus as Softplus
from .sigmoids import SiLU as SiLU
from .gelu import GELU as GELU
from .softsign import Softsign as Softsign
from .maxout import Maxout as Maxout
from .layernorm import LayerNorm as LayerNorm
from .batchnorm import BatchNorm as BatchNorm
from .dropout import Dropout as Dropout
from .gaussian_noise import GaussianNoise as GaussianNoise
from .joins import JoinLabels as JoinLabels
from .joins import JoinParameters as JoinParameters
from .reshape import Reshape as Reshape
from .reshape import Flatten as Flatten
from .residual import Residual as Residual
from .network import Network as Network

from .activation import Activation as Activation
from .block import Block as Block
from .block import Gradient as Gradient
from .bound import Bound as Bound
from .description import LAYERS as LAYERS
from .description import build as build
from .description import describe as describe
from .draw import Draw as Draw
from .initialisers import INITIALISERS as INITIALISERS
from .initialisers import Constant as Constant
from .initialisers import FanInUniform as FanInUniform
from .initialisers import GlorotNormal as GlorotNormal
from .initialisers import GlorotUniform as GlorotUniform
from .initialisers import HeNormal as HeNormal
from .initialisers import HeUniform as HeUniform
from .initialisers import Normal as Normal
from .initialisers import Orthogonal as Orthogonal
from .layer import Layer as Layer
from .layer import accept as accept
from .layout import Layout as Layout
from .network import distinct_layers as distinct_layers
from .network import distinct_leaves as distinct_leaves
from .network import joined_labels as joined_labels
from .network import parameter_count as parameter_count
from .tape import Tape as Tape

LAYERS.update(parts_in(vars(), Layer, Activation))
ACTIVATIONS: dict[str, type[Activation]] = parts_in(vars(), Activation)
