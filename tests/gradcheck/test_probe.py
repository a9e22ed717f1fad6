"""The first calls of a pair: every fault has a name, and no exception escapes.

Each function here is bad in one way that users' functions are.
"""

import sys

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.gradcheck.contracts.gradient_shapes import advice
from scratchgen.gradcheck.contracts.probe import first_calls
from scratchgen.gradcheck.library.subjects import pairs_of
from scratchgen.gradcheck.measuring.passes import OutOfBudget, Stopped
from scratchgen.gradcheck.pairs.budget import Budget
from scratchgen.gradcheck.pairs.function_pairs import CachedPair, VJPPair
from scratchgen.gradcheck.pairs.silence import quiet
from scratchgen.gradcheck.results import FAIL, NOTE, PASS

RNG = np.random.default_rng(3)
X, B = RNG.uniform(0.2, 1.5, (4, 3)), RNG.uniform(-1, 1, 3)


def f(x, b):
    return np.tanh(x) + b


def vjp(dy, x, b):
    return dy / np.cosh(x) ** 2, dy.sum(axis=0)


def seen(pair):
    """(contract, verdict, text) of all findings except PASS, and of the Stopped, if any."""
    findings = []
    try:
        first_calls(pair, np.random.default_rng(0), findings)
    except Stopped as stop:
        return [(stop.contract, "Stopped", stop.text)]
    return [
        (finding.contract, finding.verdict, finding.text)
        for finding in findings
        if finding.verdict != PASS
    ]


def only_finding(pair):
    (found,) = seen(pair)
    return found


def with_vjp(vjp, f=f, args=(X, B)):
    return VJPPair(f, vjp, args)


def test_a_right_pair_passes_and_nothing_is_noted():
    findings = first_calls(with_vjp(vjp), np.random.default_rng(0))
    assert [(finding.contract, finding.verdict) for finding in findings] == [
        ("pure", PASS),
        ("shape", PASS),
    ]


# What comes back


BAD_GRADIENTS = {
    "one too few": (lambda dy, x, b: (dy,), "count", "Stopped", "1 gradient for 2 arguments"),
    "one too many": (lambda dy, x, b: (dy, dy, dy), "count", "Stopped", "3 gradients for 2"),
    "nothing": (lambda dy, x, b: None, "count", "Stopped", "None for 2 arguments"),
    "of a stranger": (lambda dy, x, b: {"y": dy}, "count", "Stopped", "'y'"),
    "not summed": (
        lambda dy, x, b: (1 * dy, 1 * dy),
        "shape",
        FAIL,
        "(4, 3), wants b's, (3,): sum over",
    ),
    "with an axis": (
        lambda dy, x, b: (1 * dy, dy.sum(0, keepdims=True)),
        "shape",
        FAIL,
        "(1, 3), wants b's, (3,): drop axis 0",
    ),
    "transposed": (lambda dy, x, b: (dy.T, dy.sum(0)), "shape", FAIL, "transpose it"),
    "text": (lambda dy, x, b: ("dy", dy.sum(0)), "kind", FAIL, "str"),
    "complex": (lambda dy, x, b: (dy * 1j, dy.sum(0)), "kind", FAIL, "complex"),
    "ragged": (lambda dy, x, b: ([[1.0], [1.0, 2.0]], dy.sum(0)), "kind", FAIL, "inhomogeneous"),
    "an error": (lambda dy, x, b: b @ dy, "raises", "Stopped", "test_probe.py"),
    "the end": (lambda dy, x, b: sys.exit(3), "raises", "Stopped", "SystemExit"),
}


@pytest.mark.parametrize("name", BAD_GRADIENTS)
def test_a_result_that_is_no_gradient_fails_by_its_contract(name):
    bad, contract, verdict, text = BAD_GRADIENTS[name]
    found = only_finding(with_vjp(bad))
    assert found[:2] == (contract, verdict)
    assert text in found[2]


ODD_GRADIENTS = {
    "integers": (lambda dy, x, b: (dy.astype(int), dy.sum(0)), "dtype", "dx is of dtype int64"),
    "None": (lambda dy, x, b: (dy * 1, None), "kind", "db is None: taken as zeros"),
    "float32": (lambda dy, x, b: (np.float32(dy), dy.sum(0)), "dtype", "dx is float32"),
    "dy itself": (lambda dy, x, b: (dy, dy.sum(0)), "alias", "dx lies in the memory of dy"),
    "a view of dy": (lambda dy, x, b: (1 * dy, dy[0]), "alias", "db lies in the memory of dy"),
    "an argument": (lambda dy, x, b: (x, dy.sum(0)), "alias", "dx lies in the memory of x"),
}


@pytest.mark.parametrize("name", ODD_GRADIENTS)
def test_an_unusual_gradient_is_noted(name):
    odd, contract, text = ODD_GRADIENTS[name]
    found = only_finding(with_vjp(odd))
    assert found[:2] == (contract, NOTE)
    assert text in found[2]


def test_lists_and_floats_count_as_gradients():
    assert seen(with_vjp(lambda dy, x, b: [dy.tolist(), dy.sum(0).tolist()])) == []
    assert seen(VJPPair(lambda x: x**2, lambda dy, x: 2 * x * float(dy), (1.5,))) == []


def test_advice_is_given_for_every_shape_that_a_simple_step_makes_right():
    assert advice((2, 4, 3), (3,)) == ": sum over axes (0, 1)"
    assert advice((6,), (2, 3)) == ": reshape it"
    assert advice((2, 3), (2, 1, 3)) == ": axis 1 is missing"
    assert advice((7,), (2, 3)) == ""


def test_constants_are_named_and_a_gradient_for_one_is_noted():
    labels = np.array([0, 2, 1, 1])
    pair = VJPPair(
        lambda x, labels: x[np.arange(4), labels] * 1,
        lambda dy, x, labels: (dy[:, None] * (labels[:, None] == np.arange(3)), 0 * labels),
        (X, labels),
    )
    assert [text for _, _, text in seen(pair)] == [
        "taken as constants: labels",
        "backward returned a gradient for labels, a constant",
    ]


def test_arguments_without_floats_end_the_check():
    found = only_finding(VJPPair(lambda n: n * 2.0, lambda dy, n: dy, (np.arange(3),)))
    assert found[:2] == ("empty", "Stopped")
    assert "1.0 for 1" in found[2]


# What goes forward


def test_a_forward_that_raises_is_reported_with_its_own_line():
    def broken(x, b):
        return b @ x  # this very line

    contract, _, text = only_finding(with_vjp(vjp, broken))
    assert contract == "raises"
    assert "return b @ x  # this very line" in text


@pytest.mark.parametrize("given", [None, "text", object(), 1j * X, [[1.0], [1.0, 2.0]]])
def test_a_forward_without_numbers_ends_the_check(given):
    assert only_finding(with_vjp(vjp, lambda x, b: given))[:2] == ("kind", "Stopped")


def test_outputs_that_are_not_finite_end_the_check():
    contract, _, text = only_finding(VJPPair(np.log, lambda dy, x: dy / x, (X - X.min(),)))
    assert contract == "finite"
    assert "is -inf (1 of 12 entries" in text


def test_arguments_that_are_not_finite_end_the_check():
    assert only_finding(with_vjp(vjp, args=(X * np.nan, B)))[0] == "finite"


def test_an_integer_output_is_noted_and_without_a_float_output_ends_the_check():
    def with_argmax(x, b):
        return x + b, x.argmax(axis=1)

    def its_vjp(dy, x, b):
        return 1 * dy[0], dy[0].sum(axis=0)

    assert only_finding(with_vjp(its_vjp, with_argmax))[:2] == ("constants", NOTE)
    assert only_finding(with_vjp(vjp, lambda x, b: x.argmax(axis=1)))[:2] == ("empty", "Stopped")


def test_a_cached_forward_without_its_cache_ends_the_check():
    assert only_finding(CachedPair(f, vjp, (X, B)))[:2] == ("count", "Stopped")


def test_outputs_that_share_memory_are_noted_and_copied():
    out = np.zeros(X.shape)
    pair = with_vjp(vjp, lambda x, b: np.add(np.tanh(x), b, out=out))
    assert only_finding(pair)[:2] == ("alias", NOTE)
    assert pair.copies


def test_float32_outputs_of_float64_arguments_are_noted():
    assert "y is float32" in only_finding(with_vjp(vjp, lambda x, b: np.float32(f(x, b))))[2]


def test_float32_that_turns_into_float64_is_noted():
    x = X.astype(np.float32)
    double = VJPPair(lambda x: x * np.float64(2), lambda dy, x: dy * np.float64(2), (x,))
    assert "turn into float64: y, dx" in only_finding(double)[2]
    single = VJPPair(lambda x: x * 2, lambda dy, x: dy * 2, (x,))
    assert seen(single) == []


# Again


def test_a_generator_in_reach_repeats_its_draws():
    rng = np.random.default_rng(0)

    def forward(x):
        mask = rng.random(x.shape) < 0.5
        return x * mask, mask

    assert seen(CachedPair(forward, lambda dy, mask: dy * mask, (X,))) == []


def test_the_global_generator_repeats_its_draws_and_is_noted():
    def forward(x):
        mask = np.random.rand(*x.shape) < 0.5  # noqa: NPY002
        return x * mask, mask

    pair = CachedPair(forward, lambda dy, mask: dy * mask, (X,))
    assert only_finding(pair)[:2] == ("stochastic", NOTE)
    assert pair.frozen.shared is not None


def test_a_generator_out_of_reach_ends_the_check_as_stochastic():
    def forward(x):
        return x * np.random.default_rng().normal(size=x.shape)

    assert only_finding(VJPPair(forward, lambda dy, x: dy, (X,)))[:2] == ("stochastic", "Stopped")


def test_a_forward_that_jitters_by_a_millionth_ends_the_check():
    def forward(x):
        return x + 1e-6 * np.random.default_rng().normal(size=x.shape)

    assert only_finding(VJPPair(forward, lambda dy, x: 1 * dy, (X,)))[:2] == (
        "stochastic",
        "Stopped",
    )


@pytest.mark.parametrize("step", [lambda n: 0.1 * n, lambda n: n % 2, lambda n: -(n**2)])
def test_state_kept_from_call_to_call_is_not_mistaken_for_randomness(step):
    calls = []

    def forward(x):
        calls.append(1)
        return x + step(len(calls))

    contract, _, text = only_finding(VJPPair(forward, lambda dy, x: 1 * dy, (X,)))
    assert contract == "stale"
    assert "keeps state" in text


# What it does to what it is given


def test_a_forward_that_changes_its_argument_fails_with_its_line():
    def centred(x, b):
        x -= x.mean(axis=0)
        return np.tanh(x) + b

    pair = with_vjp(vjp, centred)
    before = pair.blocks["x"].copy()
    found = seen(pair)
    assert found[0][:2] == ("pure", FAIL)
    assert "forward changed x in place, in 12 of 12 entries" in found[0][2]
    assert "x -= x.mean(axis=0)" in found[0][2]
    assert pair.copies
    np.testing.assert_array_equal(pair.blocks["x"], before)


def test_a_backward_that_changes_dy_fails_with_its_line():
    def doubled(dy, x, b):
        dy *= 2
        return dy / 2 / np.cosh(x) ** 2, dy.sum(axis=0) / 2

    found = only_finding(with_vjp(doubled))
    assert found[:2] == ("pure", FAIL)
    assert "backward changed dy in place" in found[2]
    assert "dy *= 2" in found[2]


def test_a_backward_that_changes_a_parameter_fails():
    def stepped(dy, x, b):
        b -= 0.1 * dy.sum(axis=0)
        return vjp(dy, x, b)

    assert "backward changed b in place" in only_finding(with_vjp(stepped))[2]


def test_a_forward_that_changes_a_label_fails_and_the_label_is_restored():
    labels = np.array([0, 2, 1, 1])

    def shifted(x, labels):
        labels += 1
        return x * (labels[:, None] > 1)

    pair = VJPPair(shifted, lambda dy, x, labels: dy * (labels[:, None] > 1), (X, labels))
    assert ("pure", FAIL) in [found[:2] for found in seen(pair)]
    np.testing.assert_array_equal(labels, [0, 2, 1, 1])


def test_a_backward_that_changes_a_label_fails():
    def writes(dy, x, labels):
        labels += 1
        return dy * labels[:, None] - dy * (labels - 1)[:, None]

    pair = VJPPair(lambda x, labels: 1 * x, writes, (X, np.array([0, 2, 1, 1])))
    assert ("pure", FAIL) in [found[:2] for found in seen(pair)]


def test_a_pass_that_changes_a_shape_in_place_fails():
    def flat(x):
        x.shape = (-1,)
        return np.sin(x)

    pair = VJPPair(flat, lambda dy, x: (dy * np.cos(x.ravel())).reshape(4, 3), (X,))
    assert "changed the shape of x in place, from (4, 3) to (12,)" in seen(pair)[0][2]


def test_a_write_that_changes_nothing_at_this_point_fails_if_it_does_at_another():
    def clipped(x):
        x[x < 0] = 0
        return x * 1

    found = only_finding(VJPPair(clipped, lambda dy, x: dy * (x > 0), (X,)))
    assert found[:2] == ("pure", FAIL)
    assert "x[x < 0] = 0" in found[2]


def test_a_function_that_refuses_read_only_arrays_but_changes_none_is_noted():
    def picky(x):
        if not x.flags.writeable:
            raise ValueError("buffer source array is read-only")
        return np.sin(x)

    found = only_finding(VJPPair(picky, lambda dy, x: dy * np.cos(x), (X,)))
    assert found[:2] == ("pure", NOTE)
    assert "refuses read-only arrays" in found[2]


def test_a_backward_that_writes_into_an_output_is_noted():
    def forward(x):
        y = np.tanh(x)
        return y, y

    def backward(dy, y):
        y *= y
        return dy * (1 - y)

    assert "what forward returned as y" in only_finding(CachedPair(forward, backward, (X,)))[2]


def test_arguments_that_are_read_only_are_copied():
    x = X.copy()
    x.flags.writeable = False
    assert seen(with_vjp(vjp, args=(x, B))) == []


def test_lists_count_as_arrays():
    assert seen(with_vjp(vjp, args=(X.tolist(), B.tolist()))) == []


# What it costs, and what it says


def test_printed_text_is_kept_from_the_screen_and_noted(capsys):
    def loud(x, b):
        print("shape", x.shape)
        print("and so on", file=sys.stderr)
        return f(x, b)

    found = only_finding(with_vjp(vjp, loud))
    assert found == ("prints", NOTE, "it prints 'shape (4, 3)'")
    assert capsys.readouterr() == ("", "")


def test_findings_survive_a_stopped_check():
    findings = []
    with pytest.raises(Stopped):
        first_calls(with_vjp(lambda dy, x, b: print("here")), np.random.default_rng(0), findings)
    assert [finding.contract for finding in findings] == ["prints"]


def test_a_spent_budget_ends_the_first_calls():
    clock = [0.0]

    def slow(x, b):
        clock[0] += 0.2
        return f(x, b)

    pair = with_vjp(vjp, slow)
    pair.budget = Budget(0.3, lambda: clock[0])
    with pytest.raises(OutOfBudget):
        first_calls(pair, np.random.default_rng(0))
    assert clock[0] == 0.4


def test_a_huge_argument_is_noted():
    pair = VJPPair(lambda x: x[:5].sum(), lambda dy, x: np.zeros(x.shape), (np.ones(10_000_001),))
    assert "10,000,001 numbers" in only_finding(pair)[2]


def test_an_empty_batch_is_noted_if_forward_accepts_it_and_else_ends_the_check():
    found = seen(with_vjp(vjp, args=(np.zeros((0, 3)), B)))
    assert {finding[:2] for finding in found} == {("empty", NOTE)}

    def refuses(x, b):
        if not len(x):
            raise ValueError("no examples")
        return f(x, b)

    contract, _, text = only_finding(with_vjp(vjp, refuses, (np.zeros((0, 3)), B)))
    assert contract == "empty"
    assert "no examples" in text


def test_quiet_swallows_prints_warnings_and_overflows(capsys):
    with quiet() as said:
        print("x" * 10_000)
        assert np.exp(np.float64(1000)) == np.inf
        import warnings

        warnings.warn("never", stacklevel=1)
    assert 0 < len(said.text) <= 400
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("layer", [sg.nn.Dense(5, 3), sg.nn.LayerNorm(5), sg.nn.BatchNorm(5)])
def test_our_layers_pass_without_findings(layer):
    for _, pair in pairs_of(layer, (4, 5)):
        assert seen(pair) == []
