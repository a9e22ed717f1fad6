"""Likelihoods lose no digits where a pixel, or a class, is nearly certain.

-log p is then a small number, e^-30 for a logit of 30, and must not be computed as a difference of
large ones. Expected values are computed with 340 digits.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from scratchgen.distributions import Bernoulli, Categorical
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.formulas import by_formulas, by_loops

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops to compare"
)
FAR = {"float32": [1, 15, 30, 80], "float64": [1, 15, 30, 100, 700]}
ULPS = 8
X = [0, 1, 0.125, 1 - 2**-12, 2**-20]


def by_class(scores):
    """p and 1 - p of each class, in Decimal."""
    e = [Decimal(float(score)).exp() for score in scores]
    others = [sum(e[:k] + e[k + 1 :]) for k in range(len(e))]
    return [term / sum(e) for term in e], [rest / sum(e) for rest in others]


def exact(x, logit):
    """log p(x) and its derivative by the logit."""
    (_, p), (_, q) = by_class([0, logit])
    x = Decimal(float(x))
    return x * p.ln() + (1 - x) * q.ln(), x * q - (1 - x) * p


@pytest.fixture(autouse=True)
def digits():
    with localcontext() as context:
        context.prec = 340  # 1 - e^-700 has 304 nines
        yield


def every_way(likelihood, x, raw):
    """log p(x) and its gradient, from the two methods, the formula and the loop."""
    dvalue = np.ones(len(x), x.dtype)
    yield likelihood.log_prob(x, raw), likelihood.raw_gradient(x, raw, dvalue)
    for way in (by_formulas, *[by_loops] * is_installed("numba")):
        with way():
            yield likelihood.value_and_gradient(x, raw, dvalue)


@pytest.mark.parametrize("dtype", FAR)
def test_a_nearly_certain_pixel_loses_no_digits(dtype):
    pairs = [(x, sign * far) for x in X for far in FAR[dtype] for sign in (1, -1)]
    at = np.array(pairs, dtype).T
    x, logits = at[:, :, None]
    wanted = np.array([[float(value) for value in exact(a, b)] for a, b in zip(*at, strict=True)])
    close = {"rtol": ULPS * np.finfo(dtype).eps, "atol": np.finfo(dtype).tiny}
    for log_prob, gradient in every_way(Bernoulli(), x, logits):
        np.testing.assert_allclose(log_prob, wanted[:, 0], **close)
        np.testing.assert_allclose(gradient[:, 0], wanted[:, 1], **close)


@pytest.mark.parametrize("dtype", FAR)
def test_a_nearly_certain_class_loses_no_digits(dtype):
    scores = [s for far in FAR[dtype] for s in ([far, 0, 0.25], [-far, 0, -1], [0, -far, -1 - far])]
    cases = [(k, s) for s in scores for k in range(3)]
    x, logits = np.array([[k] for k, _ in cases], dtype), np.array([[s] for _, s in cases], dtype)
    log_probs, gradients = [], []
    for k, s in cases:
        p, rest = by_class(s)
        log_probs.append(float((1 - rest[k]).ln() if p[k] > 0.5 else p[k].ln()))
        gradients.append([float(rest[i] if i == k else -p[i]) for i in range(3)])
    # a log-probability of -700 has itself lost the three digits that its exponential needs
    close = {"rtol": ULPS * np.finfo(dtype).eps * max(FAR[dtype]), "atol": np.finfo(dtype).tiny}
    for log_prob, gradient in every_way(Categorical(3), x, logits):
        np.testing.assert_allclose(log_prob, log_probs, rtol=ULPS * np.finfo(dtype).eps)
        np.testing.assert_allclose(gradient[:, 0], gradients, **close)


def test_a_pixel_of_logit_30_has_the_log_probability_minus_log1p_of_exp_minus_30():
    x, logits = np.ones((1, 1)), np.full((1, 1), 30.0)
    assert Bernoulli().log_prob(x, logits)[0] == pytest.approx(-9.357622968840175e-14, rel=1e-14)
