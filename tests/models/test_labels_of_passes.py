"""The labels that an objective sees: those of a pass, and those of the batch."""

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.models import GAN
from scratchgen.nn import Dense, JoinLabels, Network


class Asking(GAN):
    """Its objective asks for the labels of the batch."""

    def minimise(self, turn):
        return {turn.player: turn.expected_labels("they are counted").sum()}


def asking(*first):
    generator = Network((2,), *first, Dense(2 + len(first), 3))
    return Asking(generator, Network((3,), Dense(3, 1)), dtype="float64", rng=0)


def test_an_objective_that_expects_labels_has_those_of_the_batch_or_says_why_it_needs_them():
    model, x = asking(JoinLabels(4, 1)), np.zeros((3, 3))
    assert model.objective("generator", x, 0, labels=np.array([3, 1, 2])) == 6
    with pytest.raises(errors.TapeError, match="no labels, and they are counted"):
        model.objective("generator", x, 0)


def test_a_model_needs_labels_if_only_one_network_joins_them():
    assert asking().n_labels == 0
    model = asking(JoinLabels(4, 1))
    assert model.n_labels == 4
    assert model.sample(2, rng=0, labels=[0, 3]).shape == (2, 3)
    with pytest.raises(errors.OptionError, match="label of each example"):
        model.sample(2, rng=0)
    with pytest.raises(errors.DataError, match=r"0 \.\.\. 3"):
        model.sample(1, rng=0, labels=[4])
    assert model.score(np.zeros((2, 3))).shape == (2,)  # the discriminator joins none
