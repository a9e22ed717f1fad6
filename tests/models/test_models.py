"""Models as users see them: shapes, randomness, threads, and what they refuse."""

import copy
import dataclasses
import io
import pickle
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from small_models import labels_of, small_model

import scratchgen as sg
from scratchgen.distributions import Categorical
from scratchgen.ground import errors
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.losses import MINIMAX, PENALTIES, R1, GradientPenalty
from scratchgen.models import RECIPES
from scratchgen.nn import BatchNorm, Dense, LayerNorm, Network, ReLU, Residual


def test_every_public_method_of_a_vae_gives_the_shape_it_says(small_vae, pictures):
    z = small_vae.encode(pictures)
    q = small_vae.posterior(pictures)
    assert z.shape == q.mu.shape == q.log_var.shape == (200, 3)
    assert np.array_equal(z, q.mu)
    assert small_vae.decode(z).shape == small_vae.reconstruct(pictures).shape == (200, 28, 28, 1)
    assert small_vae.sample(5, rng=0).shape == small_vae.sample(5, rng=0, noise=True).shape
    assert small_vae.elbo(pictures, rng=0).shape == (200,)
    assert small_vae.sample(0, rng=0).shape == (0, 28, 28, 1)
    assert small_vae.elbo(pictures[:0], rng=0).shape == (0,)


def test_every_public_method_of_a_gan_gives_the_shape_it_says(small_gan, points):
    assert small_gan.sample(5, rng=0).shape == (5, 2)
    assert small_gan.decode(np.zeros((3, 2))).shape == (3, 2)
    assert small_gan.score(points).shape == (300,)
    pictures = sg.models.gan((8, 6, 3), latent=4, hidden=(16,), rng=0).sample(5, rng=0)
    assert pictures.shape == (5, 8, 6, 3)
    assert pictures.min() >= 0
    assert pictures.max() <= 1


def test_reconstruct_is_decode_of_encode(small_vae, pictures):
    expected = small_vae.decode(small_vae.encode(pictures[:9]))
    assert np.array_equal(small_vae.reconstruct(pictures[:9]), expected)


def test_samples_with_noise_are_draws_and_without_it_means(small_vae):
    assert set(np.unique(small_vae.sample(5, rng=0, noise=True))) == {0, 1}
    assert len(np.unique(small_vae.sample(5, rng=0))) > 100


def test_the_same_rng_gives_the_same_samples_and_another_rng_others(small_vae, small_gan):
    for model in (small_vae, small_gan):
        assert np.array_equal(model.sample(4, rng=3), model.sample(4, rng=3))
        assert not np.array_equal(model.sample(4, rng=3), model.sample(4, rng=4))
        moving = np.random.default_rng(3)
        first, second = model.sample(4, rng=moving), model.sample(4, rng=moving)
        assert not np.array_equal(first, second)


def test_the_same_rng_gives_the_same_first_weights():
    first, same, other = (sg.models.vae((4,), latent=2, rng=seed) for seed in (1, 1, 2))
    vectors = [model.vector for model in (first, same, other)]
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_arrays_that_a_model_returns_are_the_callers(small_vae, small_gan, pictures):
    for first, again in (
        (small_vae.reconstruct(pictures[:4]), lambda: small_vae.reconstruct(pictures[4:8])),
        (small_vae.posterior(pictures[:4]).log_var, lambda: small_vae.encode(pictures[4:8])),
        (small_gan.sample(4, rng=0), lambda: small_gan.sample(4, rng=1)),
    ):
        kept = first.copy()
        again()
        assert np.array_equal(first, kept)
        first[:] = 0  # and the caller may write to it


def test_inference_gives_the_same_from_any_number_of_threads(small_vae, pictures):
    expected = small_vae.reconstruct(pictures)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: small_vae.reconstruct(pictures), range(40)))
    assert all(np.array_equal(result, expected) for result in results)


def test_many_examples_are_handled_in_chunks_and_come_out_the_same(small_gan):
    z = np.random.default_rng(0).standard_normal((2_500, 2), dtype=np.float32)
    parts = np.concatenate([small_gan.decode(z[:1024]), small_gan.decode(z[1024:])])
    np.testing.assert_allclose(small_gan.decode(z), parts, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 1023, 1024, 1025, 2049])
def test_chunks_cover_every_example_at_any_number(small_gan, n):
    z = np.random.default_rng(0).standard_normal((n, 2), dtype=np.float32)
    one_by_one = np.concatenate([small_gan.decode(z[:1]), small_gan.decode(z[-1:])])
    np.testing.assert_allclose(small_gan.decode(z)[[0, -1]], one_by_one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_trains_as_the_model_does_and_apart_from_it(clone, points):
    model = sg.models.vae((2,), latent=2, hidden=(8,), rng=0)
    twin = clone(model)
    before = model.sample(5, rng=0)
    sg.fit(twin, points, epochs=2, seed=0)
    assert np.array_equal(model.sample(5, rng=0), before)
    sg.fit(model, points, epochs=2, seed=0)
    assert np.array_equal(model.sample(5, rng=0), twin.sample(5, rng=0))
    assert not np.array_equal(model.sample(5, rng=0), before)


def test_float64_models_are_float64_throughout(points):
    model = sg.models.vae((2,), latent=2, hidden=(8,), dtype="float64", rng=0)
    sg.fit(model, points, epochs=1, seed=0)
    gan = sg.models.gan((2,), latent=2, hidden=(8,), dtype=np.float64, rng=0)
    for array in (model.encode(points), model.sample(3, rng=0), gan.sample(3, rng=0)):
        assert array.dtype == np.float64


def test_repr_shows_shapes_and_parameter_counts(small_vae, small_gan):
    text = repr(small_vae)
    assert "VAE of (28, 28, 1): latent 3, likelihood Bernoulli(), 26,054 parameters" in text
    assert "Dense(784 -> 16)" in text
    assert "12,560" in text
    assert str(small_gan) == "GAN of (2,): latent 2"
    assert max(map(len, text.split("\n"))) <= 79


def test_the_output_of_a_generator_follows_the_shape_or_the_setting():
    last = {
        "pictures": sg.models.gan((4, 4, 1), rng=0),
        "vectors": sg.models.gan((2,), rng=0),
        "tanh": sg.models.gan((2,), output="tanh", rng=0),
    }
    names = {k: type(m.generator.layers[-1]).__name__ for k, m in last.items()}
    assert names == {"pictures": "Sigmoid", "vectors": "Dense", "tanh": "Tanh"}


def test_hidden_layers_may_be_none_one_or_many():
    assert len(sg.models.vae((5,), latent=2, hidden=(), rng=0).encoder.layers) == 1
    assert len(sg.models.vae((5,), latent=2, hidden=7, rng=0).encoder.layers) == 3
    deep = sg.models.vae((5,), latent=2, hidden=[7, 3], rng=0)
    widths = [layer.n_out for layer in deep.decoder.layers if isinstance(layer, Dense)]
    assert widths == [3, 7, 10]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: sg.models.vae((0,)), "shape=(0,): wants whole numbers of at least 1"),
        (lambda: sg.models.vae("28"), "shape='28'"),
        (lambda: sg.models.vae(()), "shape=()"),
        (lambda: sg.models.vae((2**40,)), "make their layers smaller"),
        (lambda: sg.models.vae((2,), beta=10**400), "beta=1000"),
        (lambda: sg.models.vae((2,)).sample(10**20), "at most 1,000,000,000"),
        (lambda: sg.models.vae((2,), latent=0), "latent=0"),
        (lambda: sg.models.vae((2,), latent=2.5), "latent=2.5"),
        (lambda: sg.models.vae((2,), hidden=(16, -1)), "hidden=(16, -1)"),
        (lambda: sg.models.vae((2,), beta=-1), "beta=-1: wants a number of at least 0"),
        (lambda: sg.models.vae((2,), beta=float("nan")), "beta=nan"),
        (lambda: sg.models.vae((2,), likelihood="gausian"), "did you mean 'gaussian'"),
        (lambda: sg.models.vae((2,), dtype="float16"), "unknown dtype 'float16'"),
        (lambda: sg.models.vae((2,), dtype="int32"), "unknown dtype 'int32'"),
        (lambda: sg.models.vae((2,), rng=-1), "rng=-1"),
        (lambda: sg.models.vae((2,), rng="0"), "rng='0'"),
        (lambda: sg.models.gan((2,), loss="minmax"), "did you mean 'minimax'"),
        (lambda: sg.models.gan((2,), discriminator_steps=0), "discriminator_steps=0"),
        (lambda: sg.models.gan((2,), output="sigmoidal"), "did you mean 'sigmoid'"),
        (lambda: sg.models.vae((2,), warm_up=-1), "warm_up=-1: wants a whole number of at least 0"),
        (lambda: sg.models.vae((2,), warm_up=0.5), "warm_up=0.5: wants a whole number"),
        (lambda: sg.models.vae((2,), free_bits=-0.1), "free_bits=-0.1: wants a number of at least"),
        (lambda: sg.models.vae((2,), free_bits=float("inf")), "free_bits=inf"),
        (lambda: sg.models.vae((2,), likelihood="categorical"), "Categorical(classes=10)"),
        (lambda: sg.models.vae((2,), n_labels=-1), "n_labels=-1: wants a whole number"),
        (lambda: sg.models.gan((2,), n_labels=True), "n_labels=True"),
        (lambda: sg.models.beta_vae((2,), beta=-4), "beta=-4"),
        (lambda: sg.models.gan((2,), penalty="r2"), "did you mean 'r1'"),
        (lambda: sg.models.gan((2,), penalty="gradient-penalty"), "mean 'gradient_penalty'"),
        (lambda: sg.models.wgan((2,), weight_clip=0), "weight_clip=0: wants a number above 0"),
        (
            lambda: sg.models.wgan((2,), weight_clip=-0.01),
            "weight_clip=-0.01: wants a number above",
        ),
        (lambda: sg.models.wgan((2,), weight_clip="0.01"), "weight_clip='0.01'"),
        (lambda: sg.models.wgan((2,), weight_clip=float("nan")), "weight_clip=nan"),
        (lambda: sg.models.wgan_gp((2,), penalty=GradientPenalty(0)), "weight=0: wants a number"),
        (lambda: sg.models.wgan_gp((2,), penalty=R1(-1)), "R1: weight=-1"),
        (lambda: sg.models.wgan_gp((2,), discriminator_steps=0), "discriminator_steps=0"),
        (lambda: sg.models.gan((2,), instance_noise=-1), "instance_noise=-1"),
        (lambda: sg.models.vae((2,)).sample(-1), "n=-1"),
        (lambda: sg.models.vae((2,)).sample(2.0), "n=2.0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(build, words):
    with pytest.raises(errors.OptionError) as caught:
        build()
    assert words in str(caught.value)


def test_a_penalty_that_is_neither_a_name_nor_a_penalty_is_refused():
    with pytest.raises(
        errors.KindError, match="wants a name, gradient_penalty or r1, or an object"
    ):
        sg.models.gan((2,), penalty=10)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    "judge",
    [
        (Dense(2, 8), BatchNorm(8), ReLU()),
        (Dense(2, 8), Residual(Network((8,), ReLU(), BatchNorm(8)))),
        (Dense(2, 8), Network((8,), BatchNorm(8), ReLU())),
    ],
    ids=["plain", "in a residual", "in a network"],
)
def test_a_critic_with_batch_norm_under_a_penalty_is_refused_with_advice(penalty, judge):
    generator, critic = Network((2,), Dense(2, 2)), Network((2,), *judge, Dense(8, 1))
    with pytest.raises(errors.OptionError) as caught:
        sg.models.GAN(generator, critic, "wasserstein", penalty=penalty)
    for words in ("BatchNorm(8)", penalty, "mixes the examples of a batch", "put LayerNorm(8)"):
        assert words in str(caught.value)
    sg.models.GAN(generator, critic, "wasserstein")  # allowed without a penalty


def test_the_layers_advised_in_place_of_batch_norm_are_accepted(points):
    generator = Network(
        (2,), Dense(2, 8), BatchNorm(8), ReLU(), Dense(8, 2)
    )  # allowed in a generator
    critic = Network((2,), Dense(2, 8), LayerNorm(8), ReLU(), Dense(8, 1))
    gan = sg.models.GAN(generator, critic, "wasserstein", penalty="gradient_penalty", rng=0)
    assert np.isfinite(sg.fit(gan, points, epochs=1, seed=0)["penalty"][0])


def test_a_part_that_is_no_network_is_refused():
    with pytest.raises(errors.KindError, match="generator=None: wants a Network"):
        sg.models.GAN(None, None)


def test_a_layer_that_two_players_would_train_is_refused():
    shared_layer = Dense(2, 2)
    discriminator = Network((2,), shared_layer, Dense(2, 1))
    with pytest.raises(errors.OptionError, match=r"which is moved by .*: build a layer for each"):
        sg.models.GAN(Network((2,), shared_layer), discriminator)


def test_parts_that_do_not_fit_each_other_are_refused():
    two, three = Network((2,), Dense(2, 2)), Network((3,), Dense(3, 1))
    with pytest.raises(errors.ShapeError, match=r"encoder gives .* wants"):
        sg.models.VAE(three, two)
    with pytest.raises(errors.ShapeError, match="generator gives"):
        sg.models.GAN(two, three)
    with pytest.raises(errors.ShapeError, match="one score an example"):
        sg.models.GAN(two, two)


def bad_data():
    good = np.full((4, 28, 28, 1), 0.5, np.float32)
    nan, infinite = good.copy(), good.copy()
    nan[2, 3, 3, 0], infinite[1, 0, 0, 0] = np.nan, np.inf
    return [
        (good[0], errors.ShapeError, "x[None]"),
        (good[..., 0], errors.ShapeError, "x[..., None]"),
        (good.reshape(4, 784), errors.ShapeError, "x.reshape(-1, 28, 28, 1)"),
        (good[:, :14], errors.ShapeError, "wants (N, 28, 28, 1)"),
        (np.float32(3), errors.ShapeError, "wants (N, 28, 28, 1)"),
        (nan, errors.DataError, "first at index 2"),
        (infinite, errors.DataError, "1 of 4 examples"),
        (good * 255, errors.DataError, "divide by 255"),
        (good - 1, errors.DataError, "Bernoulli"),
        (good.astype(str), errors.KindError, "real numbers"),
        (good.astype(object), errors.KindError, "real numbers"),
        (good + 0j, errors.KindError, "complex"),
        ([[1.0], [1.0, 2.0]], errors.ShapeError, "ragged"),
        (np.ma.masked_array(good, mask=good > 1), errors.KindError, "masked"),
        (None, errors.KindError, "real numbers"),
        ("digits", errors.KindError, "real numbers"),
    ]


@pytest.mark.parametrize(("x", "kind", "words"), bad_data())
@pytest.mark.parametrize("method", ["encode", "reconstruct", "elbo", "fit"])
def test_bad_data_are_refused_everywhere_with_advice(small_vae, method, x, kind, words):
    call = partial(sg.fit, small_vae, epochs=1) if method == "fit" else getattr(small_vae, method)
    with pytest.raises(kind) as caught:
        call(x)
    assert words in str(caught.value)


def test_bad_latents_are_refused(small_vae, small_gan):
    for model in (small_vae, small_gan):
        with pytest.raises(errors.ShapeError, match="z has shape"):
            model.decode(np.zeros((4, 9)))
        with pytest.raises(errors.DataError, match="z holds NaN"):
            model.decode(np.full((1, model.latent), np.nan))


def test_a_gan_refuses_data_that_its_generator_could_never_give():
    gan = sg.models.gan((2, 2, 1), latent=2, hidden=(4,), rng=0)
    with pytest.raises(errors.DataError, match="ends in Sigmoid"):
        sg.fit(gan, np.full((4, 2, 2, 1), 3.0), epochs=1)


def test_whole_numbers_and_truth_values_are_data_too(small_vae, pictures):
    binary = pictures > 0.5
    assert np.array_equal(small_vae.encode(binary), small_vae.encode(binary.astype(int)))
    fortran = np.asfortranarray(pictures.astype(np.float64))
    np.testing.assert_allclose(small_vae.encode(fortran), small_vae.encode(pictures), rtol=1e-5)


@pytest.mark.parametrize("way", [by_formulas, by_loops])
@pytest.mark.parametrize("name", ["vae", "gan", "wgan_gp"])
@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8", "float16", "float64", ">f4"])
def test_an_objective_accepts_what_check_accepts(name, dtype, way):
    model = getattr(sg.models, name)((4,), latent=2, hidden=(5,), rng=0)
    x = np.arange(12).reshape(3, 4) % 2
    with way():
        for player in model.players:
            values = [model.objective(player, batch, 0) for batch in (x.astype(dtype), x.tolist())]
            assert values == [model.objective(player, x.astype("float32"), 0)] * 2


@pytest.mark.parametrize("way", [by_formulas, by_loops])
@pytest.mark.parametrize("name", ["vae", "gan"])
def test_a_batch_without_examples_or_of_another_shape_is_refused_with_advice(name, way):
    model = getattr(sg.models, name)((4,), latent=2, hidden=(5,), rng=0)
    with way():
        for player in model.players:
            with pytest.raises(errors.DataError, match=r"\(0, 4\), no examples: wants at"):
                model.objective(player, np.zeros((0, 4), np.float32), 0)
            with pytest.raises(errors.ShapeError, match=r"batch has shape \(3, 5\), wants"):
                model.objective(player, np.zeros((3, 5), np.float32), 0)
            with pytest.raises(errors.KindError, match="batch is of dtype <U1"):
                model.objective(player, np.full((3, 4), "a"), 0)
            with pytest.raises(errors.DataError, match="batch holds NaN"):
                model.objective(player, np.full((3, 4), np.nan), 0)


class MyBernoulli(sg.distributions.Bernoulli):
    """A user's likelihood with the name of another."""


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: sg.models.gan((2,), loss=dataclasses.replace(MINIMAX, name="mine"), rng=0),
            r"add it to scratchgen\.losses\.LOSSES",
        ),
        (
            lambda: sg.models.gan((2,), loss=dataclasses.replace(MINIMAX, name="hinge"), rng=0),
            "the game 'hinge' is not one of scratchgen's",
        ),
        (
            lambda: sg.models.vae((2,), likelihood=MyBernoulli(), rng=0),
            r"add the class to scratchgen\.distributions\.LIKELIHOODS",
        ),
    ],
)
def test_a_users_parts_train_but_are_not_saved_as_something_else(build, words):
    model = build()
    sg.fit(model, np.full((8, 2), 0.5), epochs=1, seed=0)
    with pytest.raises(errors.OptionError, match=words):
        sg.save(model, io.BytesIO())


def test_only_a_discriminator_whose_slope_nothing_bounds_gets_instance_noise():
    def blurs(gan):
        return isinstance(gan.discriminator.layers[0], sg.nn.GaussianNoise)

    shape = (4, 4, 1)
    assert blurs(sg.models.gan(shape, rng=0))
    assert blurs(sg.models.lsgan(shape, rng=0))
    assert not blurs(sg.models.wgan(shape, rng=0))
    assert not blurs(sg.models.wgan_gp(shape, rng=0))
    assert not blurs(sg.models.gan((16,), rng=0))


def test_the_games_own_optimizers_are_the_published_kinds():
    def of(recipe, shape=(2,), **settings):
        return recipe(shape, rng=0, **settings).optimizers(100)

    assert {type(optimizer).__name__ for optimizer in of(sg.models.wgan).values()} == {"RMSProp"}
    betas = {(adam.b1, adam.b2) for adam in of(sg.models.wgan_gp).values()}
    assert betas == {(0.5, 0.9)}
    assert {(adam.b1, adam.b2) for adam in of(sg.models.gan).values()} == {(0.5, 0.999)}
    rates = {
        recipe: of(recipe, shape)["generator"].learning_rate.rate
        for recipe, shape in ((sg.models.gan, (2,)), (sg.models.lsgan, (2,)))
    }
    assert rates == {sg.models.gan: 2e-3, sg.models.lsgan: 5e-4}
    assert of(sg.models.lsgan, (4, 4, 1))["generator"].learning_rate.rate == 4e-4


def test_data_that_a_tanh_could_never_give_are_refused():
    gan = sg.models.gan((2,), output="tanh", rng=0)
    with pytest.raises(errors.DataError, match="ends in Tanh"):
        sg.fit(gan, np.full((4, 2), 1.5), epochs=1)


def test_labels_must_fit_the_smallest_table():
    networks = (
        Network((2,), sg.nn.JoinLabels(5, 1), sg.nn.JoinLabels(3, 1), Dense(4, 2)),
        Network((2,), Dense(2, 1)),
    )
    gan = sg.models.GAN(*networks, rng=0)
    assert gan.n_labels == 3
    with pytest.raises(errors.DataError, match="0 \\.\\.\\. 2"):
        gan.sample(1, labels=[3])


def test_a_layer_with_state_alone_cannot_be_shared_by_two_players_either():
    class Counting(sg.nn.Layer):
        def state(self):
            return {"count": ((1,), 0.0)}

    shared_layer = Counting()
    with pytest.raises(errors.OptionError, match="build a layer for each"):
        sg.models.GAN(Network((2,), shared_layer), Network((2,), shared_layer, Dense(2, 1)), rng=0)


def test_weights_that_another_player_moves_cannot_be_borrowed():
    lent = Dense(2, 2)
    borrowing = Network((2,), sg.nn.Tied(lent), Dense(2, 1))
    with pytest.raises(errors.OptionError, match="not trained with it, but by generator: put that"):
        sg.models.GAN(Network((2,), lent), borrowing, rng=0)
    within = Network((2,), Dense(2, 3), lent := Dense(3, 2), sg.nn.Tied(lent), Dense(3, 1))
    gan = sg.models.GAN(Network((2,), Dense(2, 2)), within, rng=0)
    before = {player: gan.theta(player).copy() for player in gan.players}
    sg.fit(gan, np.random.default_rng(0).standard_normal((8, 2)), epochs=1, seed=0)
    assert all((gan.theta(player) != vector).any() for player, vector in before.items())


@pytest.mark.parametrize("name", ["gaussian", "gaussian_shared"])
def test_a_variance_that_is_learnt_begins_near_one(name):
    model = sg.models.vae((4,), likelihood=name, rng=0)
    raw = model.apply("decoder", model.draw_latents(100, np.random.default_rng(0)))
    assert np.abs(raw).max() < 1


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_copies_of_a_model_can_be_saved(recipe):
    model = small_model(recipe, (2,), rng=0)
    labels = labels_of(model, 3)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        file = io.BytesIO()
        sg.save(again, file)
        loaded = sg.load(file.getvalue())
        assert np.array_equal(loaded.sample(3, rng=0, **labels), model.sample(3, rng=0, **labels))


def test_a_users_class_is_not_saved_as_the_family_with_its_name():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Tanh(sg.nn.Tanh):
        """Another tanh."""

    class MyVAE(sg.models.VAE):
        """Another VAE."""

    networks = (Network((2,), Dense(2, 2), Tanh()), Network((1,), Dense(1, 4)))
    with pytest.raises(errors.OptionError, match=r"add the class to scratchgen\.nn\.LAYERS"):
        sg.save(sg.models.VAE(*networks, rng=0), io.BytesIO())
    networks = (Network((2,), Dense(2, 2)), Network((1,), Dense(1, 4)))
    with pytest.raises(errors.KindError, match="MyVAE, which is not one of scratchgen's models"):
        sg.save(MyVAE(*networks, rng=0), io.BytesIO())


def test_layers_that_compare_by_their_fields_are_refused():
    @dataclasses.dataclass(frozen=True)
    class Mine(sg.nn.Layer):
        n: int

    for build in (lambda: Network((3,), Mine(3), Mine(3)), lambda: Residual(Mine(3))):
        with pytest.raises(errors.KindError, match="eq=False"):
            build()


def test_deeply_shared_networks_say_at_once_whether_they_have_a_tangent():
    network = Network((2,), Dense(2, 2))
    for _ in range(60):  # 2^60 places of one layer
        network = Network((2,), network, network)
    assert network.why_no_tangent() == ""
    batch = Network((2,), network, BatchNorm(2))
    assert batch.why_no_tangent().startswith("of BatchNorm(2)")


def test_an_initialiser_that_gives_another_shape_or_nan_is_refused():
    for bad in (
        lambda rng, shape, fans: np.zeros(7),
        lambda rng, shape, fans: np.full(shape, np.nan),
    ):
        with pytest.raises(errors.OptionError, match=r"the initialiser of .*\.w gave"):
            sg.models.GAN(
                Network((2,), Dense(2, 2, weights=bad)), Network((2,), Dense(2, 1)), rng=0
            )


WORK = {
    "encode": lambda vae, gan, x: vae.encode(x),
    "posterior": lambda vae, gan, x: vae.posterior(x),
    "reconstruct": lambda vae, gan, x: vae.reconstruct(x),
    "elbo": lambda vae, gan, x: vae.elbo(x, rng=0),
    "decode": lambda vae, gan, x: vae.decode(x[:, :3]),
    "sample": lambda vae, gan, x: vae.sample(len(x), rng=0),
    "draw": lambda vae, gan, x: vae.sample(len(x), rng=0, noise=True),
    "score": lambda vae, gan, x: gan.score(x),
    "decoded": lambda vae, gan, x: gan.decode(x[:, :3]),
    "sampled": lambda vae, gan, x: gan.sample(len(x), rng=0),
}


@pytest.fixture(scope="module", params=[None, 2.0], ids=["plain", "scaled"])
def wide(request):
    """A VAE and a GAN of 300 numbers, as they are and divided by a scaler's 2."""
    scaler = request.param and sg.data.Scaler(np.zeros(300), np.full(300, request.param))
    settings = {"latent": 3, "hidden": (4,), "rng": 0, "scaler": scaler}
    return sg.models.vae((300,), **settings), sg.models.gan((300,), **settings)


def arrays_of(result):
    return list(vars(result).values()) if hasattr(result, "mu") else [result]


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", WORK)
def test_memory_beyond_data_and_result_does_not_grow_with_the_data(name, dtype, wide, monkeypatch):
    monkeypatch.setattr("scratchgen.ground.chunks.CHUNK_NUMBERS", 50 * 300)
    monkeypatch.setattr("scratchgen.ground.chunks.CHUNK_LEAST", 1)
    beside = []
    for n in (200, 2_000):
        x = np.ones((n, 300), dtype)
        tracemalloc.start()
        result = WORK[name](*wide, x)
        beside.append(tracemalloc.get_traced_memory()[1] - sum(a.nbytes for a in arrays_of(result)))
        tracemalloc.stop()
    # bytes for each of the 300 or more examples: latents of noisy draws, uncollected garbage
    assert beside[1] - beside[0] < 1_800 * 50


@pytest.mark.parametrize("name", WORK)
def test_results_do_not_depend_on_the_size_of_chunks_nor_does_what_is_drawn(name, monkeypatch):
    x = np.random.default_rng(1).random((50, 300))
    settings = {"latent": 3, "hidden": (4,), "dtype": "float64", "rng": 0}
    models = sg.models.vae((300,), **settings), sg.models.gan((300,), **settings)
    found = []
    for chunk in (7, 1_000):
        monkeypatch.setattr("scratchgen.ground.chunks.CHUNK", chunk)
        found.append(arrays_of(WORK[name](*models, x)))
    for first, second in zip(*found, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("which", [by_formulas, by_loops])
def test_underflow_gives_0_even_if_numpy_is_set_to_raise(name, which, wide):
    for size in (1e-30, 1e-50, 1e-308):  # squares underflow, floats in float32, a half of it
        x = np.full((20, 300), size) * np.linspace(-1, 1, 300)
        with np.errstate(all="raise"), which():
            for result in arrays_of(WORK[name](*wide, x)):
                assert np.isfinite(result).all()


@pytest.mark.parametrize("likelihood", [None, "bernoulli", "gaussian_shared"])
def test_a_prepared_decoder_and_a_trace_ignore_underflow(likelihood):
    model = sg.models.vae((2,), latent=2, hidden=(8,), likelihood=likelihood, rng=0)
    model.vector[:] *= 30
    z, tiny = np.full((4, 2), 5.0), np.full((4, 2), 1e-36)
    expected = model.decode(z)
    with np.errstate(under="raise"), by_formulas():
        decode = model.prepared_decoder(batch=4)
        for _ in range(2):
            np.testing.assert_allclose(decode(z), expected, rtol=1e-5)
        model.trace(tiny, rng=0)


def with_variance_exp_x(dtype):
    """A VAE of one number with q(z|x) = N(0, exp(x)), p(x|z) = N(0, 1)."""
    model = sg.models.vae((1,), latent=1, hidden=(), likelihood="gaussian_fixed", dtype=dtype)
    model.vector[:] = 0
    model.views.encoder[0].w[0, 1] = 1
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bound_of_data_that_overflow_is_minus_infinity_without_a_warning(dtype):
    model = with_variance_exp_x(dtype)
    x = np.array([[0.0], [3.0], [2e3], [1e30]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bound = model.elbo(x, rng=0)
    kl = (np.exp(x[:2, 0]) - 1 - x[:2, 0]) / 2
    expected = -(np.log(2 * np.pi) + x[:2, 0] ** 2) / 2 - kl
    np.testing.assert_allclose(bound[:2], expected, rtol=1e-6)
    assert bound[2:].tolist() == [-np.inf, -np.inf]


def test_the_bound_of_a_model_with_nan_among_its_weights_is_nan():
    model = with_variance_exp_x("float64")
    model.views.decoder[0].b[:] = np.nan
    assert np.isnan(model.elbo(np.zeros((3, 1)), rng=0)).all()


def test_checked_data_are_returned_unchanged():
    model = sg.models.vae((2, 2, 1), latent=2, hidden=(4,), rng=0)
    for x in (np.ones((3, 2, 2, 1), bool), np.zeros((3, 2, 2, 1), np.float16)):
        assert model.check_as_given(x) is x
    for bad, error in (
        (np.full((3, 2, 2, 1), 7, np.uint8), errors.DataError),
        (np.ones((3, 2, 2), np.uint8), errors.ShapeError),
        (np.array([["a"]]), errors.KindError),
    ):
        with pytest.raises(error):
            model.check_as_given(bad)


def test_the_first_number_that_is_not_a_class_is_named_in_any_chunk(monkeypatch):
    monkeypatch.setattr("scratchgen.ground.chunks.CHUNK", 10)
    model = sg.models.vae((2,), latent=2, hidden=(4,), likelihood=Categorical(3), rng=0)
    x = np.zeros((40, 2), np.uint8)
    x[[23, 31], 1] = 5
    for array in (x, x.astype(np.float32)):
        with pytest.raises(errors.DataError, match=r"x\[23, 1\] is 5, wants whole numbers 0"):
            model.elbo(array)
