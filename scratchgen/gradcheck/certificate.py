"""The certificate is a report on the gradients of everything in the library.

It checks layers, likelihoods, games and penalties in five shapes each, with drawn parameters;
layers in training, in evaluation and in second order; optimizers against their papers, where
textbook_updates.py has these; and the objective of every player of every model. Budgets count
evaluations, so no verdict depends on a clock.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..distributions import LIKELIHOODS
from ..ground.arguments import Shape, whole
from ..kernels.formulas import by_formulas, by_loops
from ..losses import LOSSES, PENALTIES
from ..models import Model
from ..nn import LAYERS, Layer
from ..optim import OPTIMIZERS
from .engine import examine
from .library.layer_points import layer_points
from .library.second_order import second_order_cases
from .library.subjects import ObjectivePair, Pairs, pairs_of
from .optimizers.side_by_side import check_optimizer, check_properties
from .optimizers.textbook_updates import published
from .reports.report import Report
from .results import CaseResult
from .specimens import (
    GAME_SHAPES,
    LIKELIHOOD_SHAPES,
    PENALTY_SHAPES,
    functions,
    models,
)

EXAMPLES = 3  # in the batch of a model


@dataclass(frozen=True)
class Specimen:
    """A subject to certify: its kind, its name, and a function from a seed to its checked cases."""

    kind: str
    name: str
    cases: Callable[[int], list[CaseResult]]


def certify(
    seed: int = 0, jit: bool = False, progress: Callable[[Report], None] | None = None
) -> list[Report]:
    """A report on every subject of the library, kind by kind.

    It checks the formulas in NumPy, or with jit their compiled loops.
    `progress` is called with each report.
    """
    seed, reports = whole(seed, "seed"), []
    with by_loops() if jit else by_formulas():
        for specimen in specimens():
            began = time.perf_counter()
            cases = specimen.cases(seed)
            flag = ", jit=True" if jit else ""
            replay = f"certify(seed={seed}{flag})"
            seconds = time.perf_counter() - began
            reports.append(Report(specimen.name, cases, seed, replay, seconds, specimen.kind))
            if progress is not None:
                progress(reports[-1])
    return reports


def specimens() -> Iterator[Specimen]:
    """All subjects, in order."""
    layers = {name: layer_points(kind) for name, kind in LAYERS.items()}
    for name, points in layers.items():
        yield Specimen("layer", name, partial(_subjects, points))
    for name, points in layers.items():
        if not points[0][0].why_no_tangent():
            twice = f"{name}, second order"
            yield Specimen("second order", twice, partial(_second_order, points[:2]))
    for registry, shapes in (
        (LIKELIHOODS, LIKELIHOOD_SHAPES),
        (LOSSES, GAME_SHAPES),
        (PENALTIES, PENALTY_SHAPES),
    ):
        for name, part in registry.examples().items():
            places = [(part, shape) for shape in shapes]
            yield Specimen(registry.what, name, partial(_subjects, places))
    for name in functions(0):
        yield Specimen("function", name, partial(_function, name))
    for name, optimizer in OPTIMIZERS.examples().items():
        yield Specimen("optimizer", name, partial(_optimizer, optimizer))
    for name, model in models().items():
        yield Specimen("model", name, partial(_model, model))


def _subjects(places: Sequence[tuple[Any, Shape]], seed: int) -> list[CaseResult]:
    """Layers, likelihoods, games or penalties, at drawn points of these shapes."""
    pairs = [pair for subject, shape in places for pair in pairs_of(subject, shape, seed)]
    return _examined(pairs, seed)


def _second_order(points: Sequence[tuple[Layer, Shape]], seed: int) -> list[CaseResult]:
    return [case for point in points for case in second_order_cases(*point, seed=seed)]


def _function(name: str, seed: int) -> list[CaseResult]:
    return [examine(functions(seed)[name], "", seed)]


def _optimizer(optimizer: Any, seed: int) -> list[CaseResult]:
    if published(optimizer) is None:
        return [check_properties(optimizer, seed=seed)]
    return check_optimizer(optimizer, seed=seed, seconds=None).cases


def _model(model: Model, seed: int) -> list[CaseResult]:
    """Each player in training, in evaluation if that differs, and at a step of its warm-up."""
    shape = (EXAMPLES, *model.shape)
    pairs = pairs_of(model, shape, seed, training=True)
    if model.state.size:
        pairs += pairs_of(model, shape, seed, training=False)
    for step in filter(None, model.steps_to_check()):
        for label, pair in pairs_of(model, shape, seed):
            assert isinstance(pair, ObjectivePair)
            pair.options["step"] = step
            pairs.append((f"{label}, step {step}", pair))
    return _examined(pairs, seed)


def _examined(pairs: Pairs, seed: int) -> list[CaseResult]:
    return [examine(pair, label, seed) for label, pair in pairs]
