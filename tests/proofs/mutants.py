"""Every mutant of every gradient of the library.

    functions()                 the library's functions that run in the backward pass of a subject
    mutants()                   all mutants of all of these functions
    kinds_for(mutant)           the subjects on which it may show

Which function belongs to which subject is recorded while the subjects run; nothing is chosen.
"""

import functools
import importlib
import inspect
import types
from pathlib import Path
from typing import Any

import numpy as np
import spoilers
from behaviours import draw_cotangents, run_once
from operators import Mutant, mutants_of
from proof_subjects import RECORD, SUBJECTS, WHOLE

import scratchgen

ROOM = Path(scratchgen.__file__).parent
PLUMBING = {  # files without arithmetic of gradients: memory, names, checks
    "nn/tape.py", "nn/block.py", "nn/layout.py", "nn/draw.py", "nn/layer.py",
    "nn/initialisers.py", "nn/description.py", "nn/bound.py",
    "distributions/rows.py", "models/model.py",
    *(f"ground/{name}.py" for name in ("arguments", "errors", "parts", "rng", "versions")),
    *(f"models/{name}.py" for name in (
        "applied", "compatibility", "description", "families", "recipes", "reported_numbers",
        "stacks", "trace", "turn",
    )),
    *(f"kernels/{name}.py" for name in (
        "blocking", "cases", "compiling", "declarations", "digests", "fingerprints", "formulas",
        "operand_errors", "operands", "plans", "recording", "replaced", "sharing", "workspaces",
        "write_digests",
    )),
}  # fmt: skip
OF_SHAPES = (
    "out_shape", "_out_shape", "shapes", "size", "learns", "distinct_layers", "distinct_leaves",
    "children", "visit", "borrows", "parameters", "_first_trained", "variance_for", "joined",
    "forward", "value", "points", "draw_latents", "beta_at", "_log", "draw", "log_prob",
    "kl_terms", "kl_to_standard", "softplus", "raw_shape", "expect", "settings", "as_rows", "full",
    "_new_examples",
)  # fmt: skip
WITH_VALUE = ("minimise", "_discriminator", "_generator", "penalise")


@functools.cache
def functions() -> dict[str, list[str]]:
    """`module:function` -> the kinds of subjects in whose backward pass it runs, plainest first."""
    by_kind: dict[str, set[str]] = {}
    for kind, points in SUBJECTS.items():
        codes: set[Any] = set()
        for make in points:
            subject = make()
            rng = np.random.default_rng(0)
            dys = draw_cotangents(subject, rng)
            RECORD[:] = [codes]
            run_once(subject, dys)
            RECORD.clear()
        by_kind[kind] = {name for code in codes if (name := _named(code))}
    # a model's gradient comes with its value: what runs there alone is its forward pass
    plain = set().union(*(names for kind, names in by_kind.items() if kind not in WHOLE))
    for kind in WHOLE:
        own = {
            name
            for name in by_kind[kind]
            if name.split(".")[-1] in (*WITH_VALUE, "_dvalue", "_join")
            or name.endswith(":penalise")
        }
        by_kind[kind] = {name for name in by_kind[kind] if name in plain} | own
    order = sorted(by_kind, key=lambda kind: (len(by_kind[kind]), len(kind), kind))
    every = sorted({name for names in by_kind.values() for name in names})
    return {name: [kind for kind in order if name in by_kind[kind]] for name in every}


def _named(code: Any) -> str:
    """`nn.dense:Dense.backward` for a function that is mutated, "" for any other."""
    try:
        path = Path(code.co_filename).relative_to(ROOM).as_posix()
    except ValueError:
        return ""
    last = code.co_qualname.split(".")[-1]
    if (
        path in PLUMBING
        or path.startswith("gradcheck/")
        or last in OF_SHAPES
        or "<" in code.co_qualname
    ):
        return ""
    if last.startswith("__"):
        return ""
    found = f"{path.removesuffix('.py').replace('/', '.')}:{code.co_qualname}"
    return found if isinstance(function_of(found), types.FunctionType) else ""


def function_of(name: str) -> Any:
    """The function with a name of `functions()`; for a kernel its formula."""
    module, qualname = name.split(":")
    found: Any = importlib.import_module(f"scratchgen.{module}")
    for part in qualname.split("."):
        found = found.__dict__[part] if isinstance(found, type) else getattr(found, part)
    return inspect.unwrap(found)


@functools.cache
def mutants() -> list[Mutant]:
    """All mutants of all functions of gradients, in a fixed order."""
    found: list[Mutant] = []
    for name in functions():
        function = function_of(name)
        only_gradient = function.__name__ in WITH_VALUE
        found += mutants_of(function, only_gradient)
    return found


def kinds_for(mutant: Mutant) -> list[str]:
    """The kinds of subjects that a mutant may change, simplest first."""
    return functions()[f"{mutant.module}:{mutant.function}"]


def by_id(name: str) -> Mutant:
    return next(mutant for mutant in mutants() if mutant.id == name)


_ = spoilers  # imported for the operators that it registers
