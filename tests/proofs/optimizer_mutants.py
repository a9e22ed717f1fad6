"""Mutants of the optimizers, compared step by step with the formulas of their papers."""

import functools
import inspect
import sys
from typing import Any

import numpy as np
from behaviours import same
from mutants import ROOM, function_of
from operators import Mutant, mutants_of

from scratchgen.optim import SGD, Adam, AdamW, ClipNorm, Momentum, Nesterov, RMSProp

OPTIMIZERS: dict[str, Any] = {
    "SGD": SGD(0.03),
    "Momentum": Momentum(0.03, momentum=0.8),
    "Nesterov": Nesterov(0.03, momentum=0.8),
    "RMSProp": RMSProp(0.02, keep=0.9),
    "RMSProp centred": RMSProp(0.02, keep=0.9, centred=True),
    "Adam": Adam(0.02, b1=0.8, b2=0.95),
    "AdamW": AdamW(0.02, b1=0.8, b2=0.95, weight_decay=0.3),
    "ClipNorm": ClipNorm(SGD(0.03), norm=0.9),
    "ClipNorm of Adam": ClipNorm(Adam(0.02), norm=0.9),
}
SIZES = (1, 2, 5, 16, 33)
FILES = tuple(f"optim/{name}.py" for name in ("descent", "momentum", "rmsprop", "adam", "clipping"))
NO_STEP = ("rate", "owner", "memory", "_set")


def walk(optimizer: Any, size: int, seed: int = 0) -> list[np.ndarray]:
    """theta, the last gradient and the memories after 50 steps."""
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(size)
    memory = optimizer.memory(theta)
    given = rng.standard_normal((50, size)) * 10.0 ** rng.uniform(-7, 2, (50, 1))
    given[:, 2::7] = 0
    left = []
    for g in given:
        g = g.copy()
        optimizer.update(theta, g, memory)
        left.append(g)
    return [theta.copy(), np.array(left)]


@functools.cache
def functions() -> dict[str, list[str]]:
    """`module:function` -> the optimizers whose step runs it, simplest first."""
    by_name: dict[str, set[str]] = {}
    for name, optimizer in OPTIMIZERS.items():
        codes: set[Any] = set()
        theta = np.ones(3)
        memory = optimizer.memory(theta)
        sys.setprofile(lambda frame, event, _, codes=codes: codes.add(frame.f_code))
        optimizer.update(theta, np.ones(3), memory)
        sys.setprofile(None)
        found = set()
        for code in codes:
            if not code.co_filename.startswith(str(ROOM)):
                continue
            path = code.co_filename.removeprefix(f"{ROOM}/")
            last = code.co_qualname.split(".")[-1]
            if path in FILES and last not in NO_STEP and "<" not in last:
                found.add(f"{path.removesuffix('.py').replace('/', '.')}:{code.co_qualname}")
        by_name[name] = found
    order = sorted(by_name, key=lambda name: (len(by_name[name]), len(name), name))
    every = sorted({name for found in by_name.values() for name in found})
    return {mutant: [name for name in order if mutant in by_name[name]] for mutant in every}


@functools.cache
def mutants() -> list[Mutant]:
    """All mutants of every step."""
    formulas = (inspect.unwrap(function_of(name)) for name in functions())
    return [mutant for formula in formulas for mutant in mutants_of(formula)]


def behaviour(optimizer: Any, size: int, mutant: Mutant) -> tuple[str, str]:
    """As `mutants.behaviour`: "same", "raises", "derivative" for another path, or a contract."""
    with np.errstate(all="ignore"):
        whole = walk(optimizer, size)
        try:
            with mutant.applied():
                spoilt = walk(optimizer, size)
        except Exception as problem:
            return "raises", f"{type(problem).__name__}: {problem}"
    if not same(whole[0], spoilt[0]):
        return "derivative", "theta"
    return ("same", "") if same(whole[1], spoilt[1]) else ("contract", "writes")
