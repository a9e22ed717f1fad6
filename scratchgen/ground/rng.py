"""Randomness is an argument: from one seed come named, independent streams.

`rng` is an int, a NumPy Generator, or None for fresh entropy. `seed` is an int that a run records.
Nothing in this library touches NumPy's global state.

    stream(seed, name, *at) = PCG64(SeedSequence(seed, spawn_key = (crc32(name), *at)))     (1)

`at` numbers the parts of a process, such as the epochs of a training, each with its own stream.
"""

import zlib
from typing import TypeAlias

import numpy as np

from .arguments import whole
from .errors import OptionError

Rng: TypeAlias = "int | np.random.Generator | None"


def generator(rng: Rng) -> np.random.Generator:
    """The Generator that `rng` stands for; a Generator is returned itself, and its state moves."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    try:
        return np.random.default_rng(whole(rng, "rng"))
    except OptionError:
        raise OptionError(
            f"rng={rng!r}: wants a whole number of at least 0, a numpy.random.Generator, or None"
        ) from None


def stream(seed: int, name: str, *at: int) -> np.random.Generator:
    """The stream of that name (1); drawing from one stream does not move another.

    `at` are whole numbers that say where in a process it is drawn from, such as an epoch.

    >>> stream(7, "weights").random() == stream(7, "weights").random()
    True
    >>> stream(7, "weights").random() == stream(7, "noise").random()
    False
    >>> stream(7, "batches", 0, 1).random() == stream(7, "batches", 0, 2).random()
    False
    """
    key = (zlib.crc32(name.encode()), *at)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))  # (1)


def chosen_seed(seed: int | None) -> int:
    """`seed` itself; for None a fresh one, which can be recorded."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return whole(seed, "seed", most=2**63 - 1)
