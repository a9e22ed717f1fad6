"""The wrong entries of small and of large blocks."""

import numpy as np
import pytest

from scratchgen.gradcheck.measuring.claims import draw_claim
from scratchgen.gradcheck.measuring.locate import MOST_ENTRIES, MOST_WRONG, entry_map
from scratchgen.gradcheck.pairs.function_pairs import VJPPair


def located(n, wrong, size=1e-3, seed=0):
    """The entry map of a tanh of n numbers whose gradient is wrong at the indices `wrong`."""
    factor = np.ones(n)
    factor[wrong] += size

    def vjp(dy, x):
        return dy * (1 - np.tanh(x) ** 2) * factor

    rng = np.random.default_rng(seed)
    pair = VJPPair(np.tanh, vjp, (rng.standard_normal(n),))
    return entry_map(pair, "x", draw_claim(pair, pair.blocks, rng), rng)


@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-9])
def test_every_entry_of_a_small_block_is_judged(size):
    found = located(40, [3, 39], size)
    assert found.complete
    assert np.flatnonzero(found.wrong).tolist() == [3, 39]
    right = ~found.wrong
    assert (abs(found.analytic - found.numeric)[right] <= found.bar[right]).all()


def test_a_few_wrong_entries_of_a_large_block_are_found():
    found = located(50_000, [7, 8, 49_999])
    assert not found.complete
    assert found.index[found.wrong].tolist() == [7, 8, 49_999]


def test_the_search_ends_after_some_of_many_wrong_entries():
    found = located(MOST_ENTRIES + 1, slice(None))
    assert found.wrong.sum() == MOST_WRONG
