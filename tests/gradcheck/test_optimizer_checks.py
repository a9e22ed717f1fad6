"""Optimizers and their papers: right updates pass, and known mistakes are named."""

import dataclasses
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.gradcheck import FAIL, INCONCLUSIVE, NOTE, PASS, certificate, check, check_optimizer
from scratchgen.gradcheck.optimizers.known_mistakes import mistakes_of
from scratchgen.gradcheck.optimizers.properties import _refuses
from scratchgen.gradcheck.optimizers.textbook_updates import FORMULAS, Published, published
from scratchgen.gradcheck.optimizers.trajectories import Budgeted, draw_inputs
from scratchgen.gradcheck.pairs.budget import Budget
from scratchgen.ground import errors
from scratchgen.optim import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    ClipNorm,
    Cosine,
    LinearDecay,
    Momentum,
    Nesterov,
    RMSProp,
)

OURS = [
    SGD(0.1),
    SGD(LinearDecay(0.1, 60)),
    Momentum(0.1),
    Momentum(0.1, momentum=0.0),
    Nesterov(Cosine(0.1, 40)),
    RMSProp(0.1),
    RMSProp(0.1, keep=0.5, eps=1e-3, centred=True),
    RMSProp(0.1, keep=0.0),
    Adam(),
    Adam(0.1, b1=0.0, b2=0.0),
    Adam(0.1, b1=0.5, b2=0.9, eps=1e-4),
    AdamW(0.1, weight_decay=0.2),
    ClipNorm(SGD(0.1), norm=0.5),
    ClipNorm(ClipNorm(AdamW(0.1), 3.0), norm=0.5),
]


class Following:
    """An optimizer that follows a formula."""

    def __init__(self, formula: Published) -> None:
        self.formula = formula

    def memory(self, theta):
        return SimpleNamespace(theta=theta, past={}, t=0)

    def update(self, theta, gradient, memory):
        memory.t += 1
        theta[:] = self.formula.step(theta, gradient, memory.past, memory.t)


def words(report):
    """The text of the report on a single line."""
    return " ".join(str(report).split())


def findings(report):
    return {finding.contract: finding for finding in report.cases[0].findings}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("optimizer", OURS, ids=str)
def test_our_optimizers_follow_their_papers(optimizer, seed):
    report = check_optimizer(optimizer, seed=seed)
    assert report.ok, str(report)
    assert [case.label for case in report.cases] == [
        "float64",
        "float64, a rate that changes",
        "float32",
    ]


def test_the_formulas_are_those_of_our_optimizers():
    assert set(FORMULAS) <= set(OPTIMIZERS.values()) - {ClipNorm}
    for kind in FORMULAS:
        assert published(kind()) is not None


def test_without_a_formula_the_certificate_checks_what_every_optimizer_must_keep():
    class Impure(SGD):
        def update(self, theta, gradient, memory):
            super().update(theta, gradient, memory)
            gradient[:] = 0

    class Pure(SGD):
        pass

    for kind, verdict in ((Pure, PASS), (Impure, FAIL)):
        assert published(kind()) is None
        assert [case.verdict for case in certificate._optimizer(kind(), 0)] == [verdict]


def test_a_pass_would_see_an_error_of_1e_9_in_a_step():
    for optimizer in (SGD(), Momentum(), RMSProp(), Adam(), AdamW()):
        assert check_optimizer(optimizer).cases[0].blocks[0].resolution < 1e-9


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1.0, -2.0])
def test_a_step_with_a_relative_error_is_found(size):
    class Longer(SGD):
        def coefficients(self, rate, t):
            return super().coefficients(rate * (1 + size), t)

    report = check_optimizer(Longer(0.01), reference=SGD(0.01))
    assert report.verdict == FAIL
    hint = report.cases[0].blocks[0].hints[0]
    assert hint.cause == ("sign" if size < -1 else "factor")


def changed(optimizer):
    right = published(optimizer)
    return [
        pytest.param(optimizer, wrong, text, id=f"{type(optimizer).__name__}: {text}")
        for _, text, wrong in mistakes_of(right)
    ]


MISTAKES = [
    case
    for optimizer in (
        Momentum(LinearDecay(0.1, 60)),
        Nesterov(LinearDecay(0.1, 60)),
        RMSProp(LinearDecay(0.1, 60)),
        RMSProp(LinearDecay(0.1, 60), centred=True),
        Adam(LinearDecay(0.1, 60)),
        AdamW(LinearDecay(0.1, 60), weight_decay=0.1),
        ClipNorm(SGD(0.1), 0.5),
    )
    for case in changed(optimizer)
]


@pytest.mark.parametrize(("optimizer", "wrong", "text"), MISTAKES)
def test_each_known_mistake_is_found_and_named_first(optimizer, wrong, text):
    report = check_optimizer(Following(wrong), reference=optimizer)
    assert report.verdict == FAIL
    case = report.cases[0]
    assert case.blocks[0].verdict == FAIL
    assert text in case.blocks[0].hints[0].text
    assert case.blocks[0].hints[0].residual < 0.01
    assert text in words(report)


def test_the_trajectory_of_the_formula_itself_passes():
    for optimizer in OURS:
        assert check_optimizer(Following(published(optimizer)), reference=optimizer).ok


def test_gradients_have_many_sizes_and_some_are_zero():
    inputs = draw_inputs((50, 16), "float64", 0)
    sizes = abs(inputs.gradients[inputs.gradients != 0])
    assert sizes.min() < 1e-7
    assert sizes.max() > 10
    assert (inputs.gradients == 0).all(axis=0).any()
    assert (inputs.gradients == 0).all(axis=1).any()
    assert (inputs.theta == 0).any()
    assert (inputs.theta != 0).any()


# Optimizers of a user's own.


@dataclass
class Plain:
    """An optimizer that steps by the signs of gradients; `change` breaks one of its properties."""

    rate: float = 0.01
    change: str = ""

    def memory(self, theta):
        return SimpleNamespace(m=np.zeros_like(theta), last=None)

    def update(self, theta, gradient, memory):
        if self.change == "writes the gradient":
            gradient *= 1.0 + 1e-3
        if self.change == "writes itself":
            self.rate *= 0.9
        if self.change == "one memory for all":
            memory = vars(self).setdefault("_shared", memory)
        if self.change == "keeps the gradient" and memory.last is not None:
            theta -= self.rate * np.sign(memory.last)
        if self.change == "not in place":
            theta = theta - self.rate * np.sign(gradient)
            return
        memory.last = gradient
        memory.m += np.sign(gradient)
        if self.change == "raises":
            raise ArithmeticError("no more")
        theta -= self.rate * (
            memory.m if self.change == "one memory for all" else np.sign(gradient)
        )

    def __repr__(self):
        return f"Plain({self.rate})"


def plain(theta, gradient, state, t):
    return theta - theta.dtype.type(0.01) * np.sign(gradient)


def test_without_a_reference_there_is_no_verdict_but_the_properties_are_tested():
    report = check_optimizer(Plain())
    assert report.verdict == INCONCLUSIVE
    assert "no reference is known for Plain: give reference=" in words(report)
    kept = findings(report)
    assert {finding.verdict for name, finding in kept.items() if name != "memory"} == {PASS}
    assert kept["memory"].verdict == NOTE


def test_a_function_as_reference_decides_the_verdict():
    assert check_optimizer(Plain(), reference=plain).ok
    assert check_optimizer(Plain(0.02), reference=plain).verdict == FAIL
    text = check_optimizer(Plain(0.02), reference=plain).cases[0].blocks[0].hints[0].text
    assert text == "every step is 2 times what it should be"
    assert (
        check_optimizer(Plain(-0.01), reference=plain).cases[0].blocks[0].hints[0].cause == "sign"
    )


@pytest.mark.parametrize(
    ("change", "contract"),
    [
        ("writes the gradient", "pure"),
        ("writes itself", "constants"),
        ("one memory for all", "stale"),
        ("keeps the gradient", "alias"),
    ],
)
def test_each_broken_property_is_found(change, contract):
    report = check_optimizer(Plain(change=change))
    assert findings(report)[contract].verdict == FAIL
    assert report.verdict == FAIL


def test_an_update_that_is_not_in_place_is_reported():
    report = check_optimizer(Plain(change="not in place"), reference=plain)
    assert "in place" in report.cases[0].blocks[0].hints[0].text


def test_an_optimizer_that_raises_fails_with_the_line_that_raised():
    report = check_optimizer(Plain(change="raises"), reference=plain)
    assert report.verdict == FAIL
    assert "no more" in words(report)
    assert "test_optimizer_checks.py" in words(report)


def test_a_float64_memory_of_a_float32_vector_is_found():
    class Wide(Plain):
        def memory(self, theta):
            return SimpleNamespace(m=np.zeros(theta.shape), last=None)

    assert findings(check_optimizer(Wide()))["dtype"].verdict == FAIL


def test_a_step_below_the_rounding_of_theta_may_round_theta():
    """0.9 theta + 0.1 theta is theta, except for its last digit."""

    class Blended(Plain):
        def update(self, theta, gradient, memory):
            theta[:] = (0.9 * theta + 0.1 * theta) - 1e-20 * np.sign(gradient)

    def tiny(theta, gradient, state, t):
        return theta - theta.dtype.type(1e-20) * np.sign(gradient)

    assert [case.verdict for case in check_optimizer(Blended(), tiny).cases] == [PASS, PASS]


def test_a_spent_budget_does_not_count_as_a_refused_memory():
    later = iter((0.0, 2.0)).__next__
    budgeted = Budgeted(Adam(), Budget(1, later))
    assert _refuses(budgeted, draw_inputs((3, 4), "float64", 0)).contract == "budget"


def test_the_budget_of_an_optimizer_counts_updates(monkeypatch):
    monkeypatch.setattr("scratchgen.gradcheck.pairs.budget.EVALUATIONS", 100)
    assert check_optimizer(Adam(), steps=2, seconds=None).verdict == PASS
    report = check_optimizer(Adam(), steps=60, seconds=None)
    assert [case.blocks[0].verdict for case in report.cases] == [PASS, INCONCLUSIVE, INCONCLUSIVE]


def test_an_optimizer_of_ours_that_takes_the_memory_of_another_vector_fails(monkeypatch):
    assert findings(check_optimizer(Adam()))["memory"].verdict == PASS
    monkeypatch.setattr("scratchgen.optim.descent.check_update", lambda *args: None)
    assert findings(check_optimizer(Adam()))["memory"].verdict == FAIL


def test_a_wrong_kernel_fails_every_optimizer_that_uses_it(monkeypatch):
    def spoilt(theta, g, m, v, numbers):
        rate, rest1, rest2, eps, c1, c2, decay, _least = numbers
        m += rest1 * (g - m)
        v += rest2 * (g * g - v)
        theta -= decay * theta + rate * (m * c1) / np.sqrt(v * c2 + eps)

    monkeypatch.setattr("scratchgen.optim.adam.adam_step", spoilt)
    for optimizer in (Adam(), AdamW(), ClipNorm(Adam(), 1.0)):
        report = check_optimizer(optimizer)
        assert report.verdict == FAIL
        assert "eps inside the root" in words(report)


# The call.


def test_check_accepts_optimizers():
    assert check(SGD(0.1)).ok


@pytest.mark.parametrize("bad", [SGD, 0.1, "adam", None, LinearDecay(0.1, 5)], ids=str)
def test_objects_that_are_no_optimizers_are_refused(bad):
    with pytest.raises(errors.KindError, match=r"^check_optimizer got .*wants an optimizer"):
        check_optimizer(bad)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"size": 0}, {"seed": -1}, {"steps": 1.5}])
def test_sizes_below_one_are_refused(bad):
    with pytest.raises(errors.OptionError, match="wants a whole number"):
        check_optimizer(SGD(), **bad)


def test_one_step_of_one_parameter_can_be_checked():
    assert check_optimizer(Adam(), steps=1, size=1).ok
    assert check_optimizer(SGD(), steps=3, size=1000).ok


def test_a_check_does_not_change_the_optimizer():
    optimizer = AdamW(0.1)
    before = dataclasses.asdict(optimizer)
    check_optimizer(optimizer)
    assert dataclasses.asdict(optimizer) == before
