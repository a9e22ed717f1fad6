"""The claim of Makhzani et al. 2016: the codes of data together become draws of the prior."""

import numpy as np

import scratchgen as sg
from scratchgen.losses import R1
from scratchgen.metrics import same_distribution

LEVEL = 0.01


def test_training_makes_the_aggregate_posterior_the_prior_on_digits_it_has_not_seen():
    x, held_out = sg.data.digits(2_000, rng=1), sg.data.digits(300, rng=2)
    model = sg.models.aae((28, 28, 1), latent=2, hidden=(128,), penalty=R1(0.3), rng=0)
    prior = model.draw_latents(300, np.random.default_rng(3))

    def p_of_codes():
        return same_distribution(model.encode(held_out), prior, rng=4)

    assert p_of_codes() <= LEVEL
    before = model.objective("autoencoder", model.check(held_out), 0, training=False)
    sg.fit(model, x, epochs=30, batch_size=50, seed=0)
    assert p_of_codes() > LEVEL
    after = model.objective("autoencoder", model.check(held_out), 0, training=False)
    assert after < before / 2  # the codes tell the digits apart
