"""Specimens are what a certificate checks besides layers and other parts, which have examples.

They are functions, and models with every part in its place. Sizes are small and differ from each
other, so that nothing is square by chance.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..distributions import (
    LIKELIHOODS,
    PRIORS,
    Likelihood,
    bernoulli,
    categorical,
    gaussian,
    likelihood_for,
)
from ..ground.arguments import Shape
from ..kernels import normal_cdf, normal_density, sigmoid, softplus
from ..losses import LOSSES, PENALTIES
from ..models import AAE, GAN, IWAE, RECIPES, VAE, Model, Recipe
from ..models.families import family_settings
from ..nn import (
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    JoinLabels,
    Layer,
    Network,
    Reshape,
    SiLU,
    Tanh,
    Tied,
    distinct_leaves,
)
from .library.points import signed
from .pairs.function_pairs import VJPPair
from .pairs.pair import Pair


def stack(*widths: int) -> Network:
    """Dense layers with tanh between them."""
    layers: list[Layer] = []
    for a, b in itertools.pairwise(widths):
        layers += [Dense(a, b), Tanh()]
    return Network((widths[0],), *layers[:-1])


LIKELIHOOD_SHAPES = ((4, 3), (1, 2), (5, 1), (3, 2, 4), (2, 3, 2, 1))
GAME_SHAPES = ((4,), (1,), (7,), (2,), (5,))
PENALTY_SHAPES = ((4, 3), (1, 2), (5, 1), (3, 2, 4), (2, 3, 2, 1))


def functions(seed: int) -> dict[str, Pair]:
    """The differentiable functions of distributions and kernels, at drawn points."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return signed(rng, shape)

    unit, labels = rng.uniform(0.1, 0.9, (4, 3)), rng.integers(5, size=(4, 3))
    pairs: dict[str, Pair] = {
        "gaussian.draw": VJPPair(
            gaussian.draw,
            lambda dz, _mu, log_var, noise: gaussian.draw_gradients(log_var, noise, dz),
            (draw(4, 3), draw(4, 3), draw(4, 3)),
        ),
        "gaussian.kl_terms": VJPPair(
            gaussian.kl_terms,
            lambda dterms, mu, log_var: gaussian.kl_terms_gradients(mu, log_var, dterms),
            (draw(4, 3), draw(4, 3)),
        ),
        "gaussian.kl_to_standard": VJPPair(
            gaussian.kl_to_standard,
            lambda dvalue, mu, log_var: gaussian.kl_to_standard_gradients(mu, log_var, dvalue),
            (draw(4, 3), draw(4, 3)),
        ),
        "gaussian.log_prob": VJPPair(
            gaussian.log_prob,
            lambda dvalue, x, mu, log_var: gaussian.log_prob_gradients(x, mu, log_var, dvalue),
            (draw(4, 3, 2), draw(4, 3, 2), draw(4, 3, 2)),
        ),
        "bernoulli.log_prob": VJPPair(
            bernoulli.log_prob,
            lambda dvalue, x, logits: bernoulli.log_prob_gradients(x, logits, dvalue),
            (unit, draw(4, 3)),
        ),
        "categorical.log_prob": VJPPair(
            categorical.log_prob,
            lambda dvalue, x, logits: categorical.log_prob_gradients(x, logits, dvalue),
            (labels, draw(4, 3, 5)),
        ),
        "kernels.softplus": VJPPair(softplus, lambda dy, x: dy * sigmoid(x), (4 * draw(4, 5),)),
        "kernels.sigmoid": VJPPair(
            sigmoid, lambda dy, x: dy * sigmoid(x) * sigmoid(-x), (4 * draw(4, 5),)
        ),
        "kernels.normal_cdf": VJPPair(
            normal_cdf, lambda dy, x: dy * normal_density(x), (2 * draw(4, 5),)
        ),
    }
    pairs["gaussian.draw"].checked = ["mu", "log_var"]
    pairs["bernoulli.log_prob"].checked = ["logits"]
    for pair in pairs.values():
        pair.per_example = dict.fromkeys(pair.blocks, 0)
    return pairs


def vae(likelihood: str | Likelihood, shape: Shape = (3,), **settings: Any) -> VAE:
    """A VAE with one dense layer on either side, enough to test its own backward."""
    chosen = likelihood_for(likelihood, shape)
    raw = chosen.raw_shape(shape)
    n, n_raw = int(np.prod(shape)), int(np.prod(raw))
    encoder = Network(shape, Flatten(), Dense(n, 4))
    decoder = Network((2,), Dense(2, n_raw), Reshape(raw))
    return VAE(encoder, decoder, chosen, dtype="float64", rng=0, **settings)


def iwae(**settings: Any) -> IWAE:
    """An IWAE with one dense layer on either side."""
    parts = {"encoder": Network((3,), Dense(3, 4)), "decoder": Network((2,), Dense(2, 3))}
    return IWAE(**{**parts, **settings}, likelihood="bernoulli", dtype="float64", rng=0)


def gan(loss: Any, generator: Any = None, discriminator: Any = None, **settings: Any) -> GAN:
    """A GAN with one dense layer in its generator, and two in its discriminator."""
    generator = generator or Network((2,), Dense(2, 3))
    discriminator = discriminator or stack(3, 2, 1)
    return GAN(generator, discriminator, loss, dtype="float64", rng=0, **settings)


def of_recipes(recipes: Mapping[str, Recipe] = RECIPES) -> dict[str, Model]:
    """A small model of every recipe, without labels and, if the recipe takes them, with labels.

    A recipe that differs from an earlier recipe only by numbers is left out.
    """
    small: dict[str, Model] = {}
    seen: set[tuple[Any, ...]] = set()
    for name, recipe in recipes.items():
        without: list[tuple[str, dict[str, int]]] = [] if recipe.needs_labels else [("", {})]
        joins = "n_labels" in recipe.takes and not recipe.like
        with_labels = [(" with labels", {"n_labels": 2})] if joins else []
        for words, labels in [*without, *with_labels]:
            sizes = {"latent": 2, "hidden": (4,), "dtype": "float64", "rng": 0}
            model: Model = recipe((3,), **sizes, **labels)
            kind = made_of(model)
            if kind not in seen:
                seen.add(kind)
                small[f"recipe {name}{words}"] = model
    return small


def made_of(model: Model) -> tuple[Any, ...]:
    """What a model is made of, without its numbers: family, layers, parts, and switches."""
    values = [getattr(model, field.name) for field in family_settings(type(model))]
    parts = [getattr(part, "name", type(part)) for part in model.parts()]
    switches = [bool(value) for value in values if isinstance(value, int | float | None)]
    layers = [type(leaf) for net in model.networks.values() for leaf in distinct_leaves(net)]
    words = [value for value in values if isinstance(value, str)]
    return (type(model), *parts, *switches, *layers, *words)


def aae(**settings: Any) -> AAE:
    """An AAE with one dense layer in its encoder and its decoder, two in its discriminator."""
    encoder, decoder = Network((3,), Dense(3, 2)), Network((2,), Dense(2, 3))
    given = {"discriminator": stack(2, 3, 1), "likelihood": "mse", "dtype": "float64", "rng": 0}
    return AAE(encoder, decoder, **{**given, **settings})


def models() -> dict[str, Model]:
    """A model for every combination of parts that changes an objective, and for each recipe.

    Every likelihood is in a VAE, every game and penalty in a GAN, every prior in an AAE.
    """
    shared = Dense(3, 4)
    join = [JoinLabels(3, 2) for _ in range(4)]
    with_state = Network((3,), Dense(3, 4), BatchNorm(4), Dropout(0.3))
    noisy = Network((3,), GaussianNoise(0.3), Dense(3, 3), Dropout(0.3), SiLU(), Dense(3, 1))
    return {
        **{f"VAE, {name}": vae(likelihood) for name, likelihood in LIKELIHOODS.examples().items()},
        "VAE of pictures": vae("bernoulli", (2, 3, 1), beta=0.7),
        "VAE, warm-up": vae("bernoulli", beta=2.0, warm_up=10),
        "VAE, free bits": vae("gaussian", free_bits=0.8, beta=1.5),
        "VAE, layers with state": VAE(with_state, stack(2, 3), "mse", dtype="float64", rng=0),
        "VAE, labels": VAE(
            Network((3,), join[0], Dense(5, 4)),
            Network((2,), join[1], Dense(4, 3)),
            "bernoulli",
            dtype="float64",
            rng=0,
        ),
        "VAE, tied weights": VAE(
            Network((3,), shared, Tanh(), Dense(4, 4)),
            Network((2,), Dense(2, 4), Tanh(), Tied(shared)),
            "bernoulli",
            dtype="float64",
            rng=0,
        ),
        "IWAE, one draw": iwae(draws=1),
        "IWAE, gradient in total": iwae(draws=4, doubly_reparameterised=False),
        "IWAE, batch norm": iwae(
            decoder=Network((2,), Dense(2, 4), BatchNorm(4), Dense(4, 3)),
            draws=2,
            doubly_reparameterised=False,
        ),
        "IWAE, layers that draw": iwae(
            decoder=Network((2,), Dropout(0.3), Dense(2, 4), GaussianNoise(0.3), Dense(4, 3)),
            draws=3,
        ),
        **{f"GAN, {name}": gan(game) for name, game in LOSSES.examples().items()},
        **{
            f"GAN, {name}": gan("wasserstein", penalty=penalty)
            for name, penalty in PENALTIES.examples().items()
        },
        "GAN, labels": gan(
            "hinge",
            Network((2,), join[2], Dense(4, 3)),
            Network((3,), join[3], Dense(5, 2), Tanh(), Dense(2, 1)),
            penalty="r1",
        ),
        "GAN, layers that draw": gan("least_squares", None, noisy, penalty="gradient_penalty"),
        "GAN, batch norm": gan(
            "minimax", Network((2,), Dense(2, 3), BatchNorm(3)), Network((3,), Dense(3, 1))
        ),
        **{f"AAE, {name}": aae(prior=prior) for name, prior in PRIORS.examples().items()},
        "AAE, penalty": aae(loss="wasserstein", penalty="gradient_penalty"),
        **of_recipes(),
    }
