"""Second order: right tangents pass, and every wrong term is found."""

from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.gradcheck import FAIL, INCONCLUSIVE, PASS, check_second_order
from scratchgen.gradcheck.library.mixed import check_mixed
from scratchgen.gradcheck.library.own_pairs import LayerPair
from scratchgen.gradcheck.library.second_order import second_order_cases, second_order_pairs
from scratchgen.gradcheck.library.tangents import same_layer
from scratchgen.ground import errors
from scratchgen.nn import (
    GELU,
    BatchNorm,
    Dense,
    Dropout,
    JoinLabels,
    Layer,
    LayerNorm,
    LeakyReLU,
    Maxout,
    Network,
    ReLU,
    Residual,
    SiLU,
    Softplus,
    Tanh,
)

CRITICS = {
    "smooth": lambda: Network((3,), Dense(3, 4), Tanh(), Dense(4, 4), SiLU(), Dense(4, 1)),
    "kinks": lambda: Network((3,), Dense(3, 6), LeakyReLU(), Dense(6, 6), ReLU(), Dense(6, 1)),
    "maxout": lambda: Network((3,), Dense(3, 8), Maxout(2), Dense(4, 6), Maxout(3), Dense(2, 1)),
    "norms": lambda: Network((3,), Dense(3, 5), LayerNorm(5), GELU(), Residual(Dense(5, 5))),
    "draws": lambda: Network((3,), Dense(3, 5), Dropout(0.4), Softplus(), Dense(5, 2)),
    "labels": lambda: Network((3,), JoinLabels(4, 2), Dense(5, 3), Tanh()),
}


@pytest.mark.parametrize("critic", CRITICS)
def test_right_tangents_pass(critic):
    report = check_second_order(CRITICS[critic](), x=(3, 3))
    assert report.ok, report


def test_the_forward_pass_alone_resolves_curvature():
    report = check_second_order(Tanh(), x=(3, 4))
    alone = report.cases[1]
    assert alone.label.endswith("by forward alone")
    assert [block.name for block in alone.blocks] == ["v", "u", "x"]
    assert alone.blocks[0].resolution < 1e-9
    assert alone.blocks[1].resolution < 1e-9
    assert alone.blocks[2].resolution < 1e-7


class Changed(Tanh):
    """A tanh with a changed term in its second order."""

    change = ""

    def tangent(self, p, u, tape):
        v = super().tangent(p, u, tape)
        return 0.5 * v if self.change == "half a tangent" else v

    def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
        x, y, u = tape.x, tape.y, tape.u
        slope, curvature = self.slope(x, y), self.curvature(x, y)
        half = 0.5 if self.change == "half a tangent" else 1.0
        dx, du = slope * dy + half * curvature * u * dv, half * slope * dv
        if self.change == "no curvature":
            dx = slope * dy
        elif self.change == "sign of the curvature":
            dx = slope * dy - curvature * u * dv
        elif self.change == "no first order":
            dx = curvature * u * dv
        elif self.change == "du of dy":
            du = slope * dy
        elif self.change == "one entry":
            dx.flat[0] += 1e-6 * dx.flat[0]
        return SimpleNamespace(x=dx, u=du)


CHANGES = [
    "half a tangent",
    "no curvature",
    "sign of the curvature",
    "no first order",
    "du of dy",
    "one entry",
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_term_is_found(change):
    layer = type("Changed", (Changed,), {"change": change})()
    for x in ((3, 4), (1, 2)):
        assert check_second_order(layer, x=x).verdict == FAIL


def test_without_a_change_no_term_is_wrong():
    assert check_second_order(Changed(), x=(3, 4)).ok


def test_a_wrong_tangent_fails_though_it_agrees_with_its_own_backward():
    layer = type("Changed", (Changed,), {"change": "half a tangent"})()
    own, alone = check_second_order(layer, x=(3, 4)).cases
    assert own.verdict == PASS
    assert {block.name: block.verdict for block in alone.blocks} == {
        "v": FAIL,
        "u": FAIL,
        "x": FAIL,
    }


def test_a_wrong_first_order_hides_no_wrong_second_order():
    class Both(Tanh):
        """Slope and curvature of sin in the place of those of tanh: they agree with each other."""

        def slope(self, x, y):
            return np.cos(x)

        def curvature(self, x, y):
            return -np.sin(x)

    _, alone = check_second_order(Both(), x=(3, 4)).cases
    assert {block.verdict for block in alone.blocks} == {FAIL}


def test_a_missing_gradient_of_a_weight_is_found_in_its_block():
    class Forgetful(Dense):
        def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
            d = super().tangent_backward(p, dy, dv, tape, g, need_dx)
            if g is not None:
                g.w -= tape.u.T @ dv
            return d

    own, alone = check_second_order(Forgetful(3, 2)).cases
    assert {block.name: block.verdict for block in own.blocks}["w"] == FAIL
    assert {block.name: block.verdict for block in alone.blocks} == {
        "v": PASS,
        "u": PASS,
        "x": PASS,
        "w": FAIL,
        "b": PASS,
    }


def test_a_hessian_that_is_not_symmetric_fails_by_that_name():
    class Lopsided(Layer):
        """y = x, with a dx that no function has."""

        def forward(self, p, x, tape):
            return x.copy()

        def backward(self, p, dy, tape, g=None, need_dx=True):
            return dy

        def tangent(self, p, u, tape):
            tape.u = u
            return u.copy()

        def tangent_backward(self, p, dy, dv, tape, g=None, need_dx=True):
            return SimpleNamespace(x=dy + np.cumsum(tape.u, axis=1) * dv, u=dv)

    _, alone = check_second_order(Lopsided(), x=(2, 3)).cases
    found = [finding for finding in alone.findings if finding.contract == "symmetric"]
    assert found[0].verdict == FAIL
    assert "<a, H b>" in found[0].text


@pytest.mark.parametrize("layer", [BatchNorm(3), Network((3,), Dense(3, 3), BatchNorm(3))], ids=str)
def test_a_layer_without_a_tangent_is_inconclusive_and_says_why(layer):
    report = check_second_order(layer)
    assert report.verdict == INCONCLUSIVE
    assert "mixes the examples" in report.cases[0].blocks[0].reason
    assert "mixes the examples" in str(report)


def test_the_report_on_a_users_layer_without_a_tangent_says_what_to_write():
    class Mine(Layer):
        def forward(self, p, x, tape):
            return x

    reason = check_second_order(Mine()).cases[0].blocks[0].reason
    assert "write it and tangent_backward()" in reason


def test_a_tangent_that_raises_fails():
    class Broken(Tanh):
        def tangent(self, p, u, tape):
            raise ZeroDivisionError("not today")

    report = check_second_order(Broken())
    assert report.verdict == FAIL
    assert "not today" in str(report)


def test_objects_that_are_no_layers_are_refused():
    with pytest.raises(errors.KindError, match="check_second_order got 3"):
        check_second_order(3)


def test_wrt_leaves_the_other_blocks_out():
    report = check_second_order(Dense(3, 2), wrt="w")
    assert {block.name for case in report.cases for block in case.blocks} == {"w", "v", "u"}
    assert report.ok


def test_mixed_differences_never_fail_a_right_second_derivative():
    rng = np.random.default_rng(0)
    found = []
    for seed in range(12):
        layer = CRITICS[("kinks", "maxout", "norms", "smooth")[seed % 4]]()
        (_, pair), *_ = second_order_pairs(layer, (2, 3), seed, training=True)
        plain = LayerPair(**same_layer(pair))
        found += [
            check_mixed(pair, plain, name, rng).verdict for name in pair.checked if name != "u"
        ]
    assert found.count(FAIL) == 0
    assert found.count(PASS) > 0.95 * len(found)


def test_a_spent_budget_leaves_a_right_layer_inconclusive(monkeypatch):
    monkeypatch.setattr("scratchgen.gradcheck.pairs.budget.EVALUATIONS", 500)
    cases = second_order_cases(CRITICS["smooth"](), (3, 3))
    assert {case.verdict for case in cases} == {INCONCLUSIVE}
    assert sum(case.forward_calls + case.backward_calls for case in cases) < 600
