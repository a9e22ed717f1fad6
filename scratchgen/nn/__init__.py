"""Layers, networks, and the two kinds of memory they work on: blocks and tapes."""

from .activations import LeakyReLU, ReLU, Sigmoid, Tanh
from .block import Block, Gradient, Layout
from .dense import Dense
from .description import LAYERS, build, describe
from .initialisers import INITIALISERS
from .layer import Layer
from .network import Network, distinct_leaves, parameter_count
from .noise import GaussianNoise
from .reshape import Flatten, Reshape
from .tape import Tape

__all__ = [
    "INITIALISERS",
    "LAYERS",
    "Block",
    "Dense",
    "Flatten",
    "GaussianNoise",
    "Gradient",
    "Layer",
    "Layout",
    "LeakyReLU",
    "Network",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "Tanh",
    "Tape",
    "build",
    "describe",
    "distinct_leaves",
    "parameter_count",
]
