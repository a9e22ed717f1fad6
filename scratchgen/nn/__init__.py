"""Layers, networks, and the two kinds of memory they work on: blocks and tapes."""

from .activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .block import Block, Gradient, Layout
from .bound import Bound
from .dense import Dense
from .description import LAYERS, build, describe
from .dropout import Dropout
from .initialisers import (
    INITIALISERS,
    Constant,
    FanInUniform,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Normal,
    Orthogonal,
)
from .joins import JoinLabels, JoinParameters
from .layer import Layer, accept
from .maxout import Maxout
from .network import Network, distinct_layers, distinct_leaves, joined_labels, parameter_count
from .noise import GaussianNoise
from .normalisation import BatchNorm, LayerNorm
from .reshape import Flatten, Reshape
from .residual import Residual
from .tape import Tape
from .tied import Tied

__all__ = [
    "ELU",
    "GELU",
    "INITIALISERS",
    "LAYERS",
    "BatchNorm",
    "Block",
    "Bound",
    "Constant",
    "Dense",
    "Dropout",
    "FanInUniform",
    "Flatten",
    "GaussianNoise",
    "GlorotNormal",
    "GlorotUniform",
    "Gradient",
    "HeNormal",
    "HeUniform",
    "JoinLabels",
    "JoinParameters",
    "Layer",
    "LayerNorm",
    "Layout",
    "LeakyReLU",
    "Maxout",
    "Network",
    "Normal",
    "Orthogonal",
    "ReLU",
    "Reshape",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "Tape",
    "Tied",
    "accept",
    "build",
    "describe",
    "distinct_layers",
    "distinct_leaves",
    "joined_labels",
    "parameter_count",
]
