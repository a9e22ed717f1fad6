"""Words that were meant: what other libraries say is understood, or answered with our word."""

import inspect

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground import keywords
from scratchgen.ground.errors import KeywordError, KindError, OptionError, ShapeError
from scratchgen.nn import Dense, Network, ReLU
from scratchgen.optim import SGD, Adam, Cosine


@pytest.fixture(scope="module")
def conditional():
    """A VAE of four classes, and a GAN."""
    sizes = {"latent": 2, "hidden": (8,), "n_labels": 4, "rng": 0}
    return sg.models.vae((2,), **sizes), sg.models.gan((2,), **sizes)


def test_one_label_is_the_label_of_all(conditional, points):
    vae, gan = conditional
    for model in conditional:
        for label in (3, np.int64(3)):
            one, all_of_them = model.sample(5, 0, labels=label), model.sample(5, 0, labels=[3] * 5)
            np.testing.assert_array_equal(one, all_of_them)
        assert not np.array_equal(one, model.sample(5, 0, labels=2))
        np.testing.assert_array_equal(
            model.prepared_decoder(2)(np.ones((2, 2)), labels=3),
            model.decode(np.ones((2, 2)), [3, 3]),
        )
    x = points[:5]
    np.testing.assert_array_equal(vae.encode(x, 1), vae.encode(x, [1] * 5))
    np.testing.assert_array_equal(vae.reconstruct(x, 1), vae.reconstruct(x, [1] * 5))
    np.testing.assert_array_equal(vae.elbo(x, 0, labels=1), vae.elbo(x, 0, labels=[1] * 5))
    np.testing.assert_array_equal(gan.score(x, 1), gan.score(x, [1] * 5))


@pytest.mark.parametrize("label", [True, 2.0, "2", 4, -1])
def test_one_label_that_is_none_is_refused(conditional, label):
    with pytest.raises((KindError, sg.errors.DataError)):
        conditional[0].sample(5, 0, labels=label)


def test_fit_wants_a_label_for_each_example(conditional, points):
    with pytest.raises(ShapeError, match=r"the one label 4 for 300 examples: wants one for each"):
        sg.fit(conditional[0], points, epochs=1, labels=4)
    labels = np.zeros(300, int)
    with pytest.raises(ShapeError, match="validation has the one label"):
        sg.fit(conditional[0], points, epochs=1, labels=labels, validation=(points, 0))


@pytest.mark.parametrize("choice", ["sgd", SGD, {"vae": "sgd"}, {"vae": SGD}], ids=str)
def test_an_optimizer_is_its_name_or_its_class_with_its_own_settings(points, choice):
    trained = []
    for optimizer in (choice, SGD()):
        model = sg.models.vae((2,), latent=2, hidden=(8,), rng=0)
        sg.fit(model, points, epochs=1, seed=0, optimizer=optimizer)
        trained.append(model.vector)
    np.testing.assert_array_equal(*trained)
    assert sg.optim.ClipNorm("sgd") == sg.optim.ClipNorm(SGD) == sg.optim.ClipNorm(SGD())


def test_a_class_stands_for_what_it_makes_of_no_settings():
    likelihoods, losses = sg.distributions, sg.losses
    vae = sg.models.vae((2,), likelihood=likelihoods.SharedGaussian, rng=0)
    assert vae.likelihood == likelihoods.SharedGaussian()
    assert sg.models.gan((2,), penalty=losses.R1, rng=0).penalty == losses.R1()
    network = Network((2,), Dense(2, 3, weights=sg.nn.HeNormal, bias=sg.nn.Constant), ReLU)
    dense, relu = network.layers
    assert (dense.weights, dense.bias, type(relu)) == (sg.nn.HeNormal(), sg.nn.Constant(), ReLU)
    assert type(sg.nn.Residual(ReLU).inner) is ReLU
    assert Network((2,), ReLU, ReLU).layers[0] is not Network((2,), ReLU, ReLU).layers[1]


def test_a_class_that_needs_settings_is_answered_with_how_to_give_them():
    with pytest.raises(KindError, match=r"needs settings: write Categorical\(\.\.\.\)"):
        sg.models.vae((2,), likelihood=sg.distributions.Categorical)
    with pytest.raises(KindError, match=r"needs settings: write Dense\(\.\.\.\)"):
        Network((2,), Dense)


@pytest.mark.parametrize(("bias", "names"), [(False, ["w"]), (None, ["w"]), (True, ["w", "b"])])
def test_a_bias_is_left_out_or_begins_at_zero(bias, names):
    dense = Dense(2, 3, bias=bias)
    assert list(dense.parameters()) == names
    assert list(sg.nn.Tied(dense, bias=bias).parameters()) == names[1:]
    again = sg.nn.build(sg.nn.describe(Network((2,), dense, sg.nn.Tied(dense, bias=bias))))
    assert [layer.bias for layer in again.layers] == [dense.bias] * 2
    assert dense.bias == (None if len(names) == 1 else "zeros")


MODEL = sg.models.vae((2,), latent=2, hidden=(4,), rng=0)
WORDS = [  # a function, what it was given besides, a word, and what the answer names
    (Adam, (), "lr", "'learning_rate'"),
    (Adam, (), "alpha", "it takes learning_rate, b1, b2, eps"),
    (Adam, (), "betas", "'b1' and 'b2'"),
    (Adam, (), "beta_1", "'b1'"),
    (Adam, (), "epsilon", "'eps'"),
    (Adam, (), "weight_decay", "AdamW has it"),
    (Adam, (), "amsgrad", "it takes learning_rate, b1, b2, eps"),
    (SGD, (), "momentum", "sg.optim.Momentum has one"),
    (SGD, (), "nesterov", "sg.optim.Nesterov"),
    (sg.optim.RMSProp, (), "alpha", "'keep'"),
    (sg.optim.RMSProp, (), "rho", "'keep'"),
    (sg.optim.RMSProp, (), "centered", "'centred'"),
    (sg.optim.ClipNorm, (SGD(),), "max_norm", "'norm'"),
    (Cosine, (0.1, 4), "T_max", "'steps'"),
    (Cosine, (0.1, 4), "eta_min", "'least'"),
    (sg.optim.StepDecay, (0.1, 4), "step_size", "'every'"),
    (sg.optim.MovingAverage, (), "decay", "'keep'"),
    (Dense, (2, 3), "use_bias", "'bias'"),
    (Dense, (2,), "units", "'n_out'"),
    (Dense, (2,), "out_features", "'n_out'"),
    (Dense, (), "in_features", "'n_in'"),
    (Dense, (2, 3), "kernel_initializer", "'weights'"),
    (Dense, (2, 3), "activation", "sg.nn.ReLU()"),
    (sg.nn.Dropout, (), "p", "'drop'"),
    (sg.nn.Dropout, (), "rate", "'drop'"),
    (sg.nn.LeakyReLU, (), "alpha", "'negative_slope'"),
    (sg.nn.BatchNorm, (4,), "momentum", "keep is 1 - PyTorch's momentum"),
    (sg.nn.LayerNorm, (), "normalized_shape", "'features'"),
    (ReLU, (), "inplace", "it takes none"),
    (sg.nn.Normal, (), "stddev", "'std'"),
    (Network, (), "input_shape", "'in_shape'"),
    (sg.distributions.Categorical, (), "n_classes", "'classes'"),
    (sg.losses.R1, (), "gamma", "'weight'"),
    (sg.models.vae, ((2,),), "latent_dim", "'latent'"),
    (sg.models.vae, ((2,),), "z_dim", "'latent'"),
    (sg.models.vae, ((2,),), "hidden_dims", "'hidden'"),
    (sg.models.vae, (), "input_shape", "'shape'"),
    (sg.models.vae, ((2,),), "loss", "'likelihood'"),
    (sg.models.vae, ((2,),), "num_classes", "'n_labels'"),
    (sg.models.vae, ((2,),), "random_state", "'rng'"),
    (sg.models.vae, ((2,),), "seed", "'rng'"),
    (sg.models.vae, ((2,),), "activation_fn", "activation"),
    (sg.models.vae, ((2,),), "dropout", "sg.nn.Dropout(0.2)"),
    (sg.models.vae, ((2,),), "device", "runs on the CPU"),
    (sg.models.vae, ((2,),), "latnt", "did you mean 'latent'"),
    (sg.models.beta_vae, ((2,),), "latent_dim", "'latent'"),
    (sg.models.wgan_gp, ((2,),), "n_critic", "'discriminator_steps'"),
    (sg.models.VAE, (), "kl_weight", "'beta'"),
    (sg.models.GAN, (), "critic", "'discriminator'"),
    (sg.fit, (MODEL, []), "n_epochs", "'epochs'"),
    (sg.fit, (MODEL, []), "batch", "'batch_size'"),
    (sg.fit, (MODEL, []), "lr", "optimizer=sg.optim.Adam(1e-3)"),
    (sg.fit, (MODEL, []), "learning_rate", "optimizer=sg.optim.Adam(1e-3)"),
    (sg.fit, (MODEL, []), "verbose", "'progress'"),
    (sg.fit, (MODEL, []), "random_state", "'seed'"),
    (sg.fit, (MODEL, []), "rng", "'seed'"),
    (sg.fit, (MODEL, []), "y", "'labels'"),
    (sg.fit, (MODEL, []), "validation_data", "'validation'"),
    (sg.fit, (MODEL, []), "shuffle", "leave it out"),
    (sg.fit, (MODEL, []), "device", "leave it out"),
    (MODEL.sample, (), "num_samples", "'n'"),
    (MODEL.sample, (3,), "seed", "'rng'"),
    (MODEL.bound, ([],), "n_samples", "'draws'"),
    (MODEL.bound, ([],), "num_samples", "'draws'"),
    (sg.data.digits, (3,), "seed", "'rng'"),
    (sg.data.ring, (), "n_samples", "'n'"),
    (sg.data.two_moons, (3,), "random_state", "'rng'"),
    (sg.data.load, ("digits",), "train", "'split'"),
    (sg.data.mnist, (), "train", "'split'"),
    (sg.save, (MODEL,), "path", "'file'"),
    (sg.load, (), "filename", "'file'"),
    (sg.load, ("vae.npz",), "map_location", "leave it out"),
    (MODEL.prepared_decoder, (), "batch_size", "'batch'"),
    (MODEL.trace, ([],), "seed", "'rng'"),
    (MODEL.encode, ([],), "y", "'labels'"),
    (MODEL.decode, ([],), "y", "'labels'"),
    (MODEL.posterior, ([],), "y", "'labels'"),
    (MODEL.reconstruct, ([],), "y", "'labels'"),
]


@pytest.mark.parametrize(("function", "given", "word", "answer"), WORDS)
def test_a_word_of_another_library_is_answered_with_ours(function, given, word, answer):
    with pytest.raises(KeywordError) as caught:
        function(*given, **{word: 1})
    text = str(caught.value)
    name = "vae" if function is sg.models.beta_vae else function.__name__
    assert f"{name.replace('wgan_gp', 'gan')} has no {word!r}" in text
    assert answer in text
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, OptionError)


def test_every_word_of_ours_is_one_that_something_takes():
    rooms = (sg.nn, sg.optim, sg.losses, sg.distributions, sg.models, sg.data)
    parts = [part for room in rooms for name, part in vars(room).items() if name[0] != "_"]
    takes = set()
    for part in [*parts, sg.fit, sg.save, MODEL.sample, MODEL.bound, MODEL.prepared_decoder]:
        if callable(part) and part is not sg.optim.Schedule:
            takes |= set(inspect.signature(part).parameters)
    ours = {word for words in keywords.MEANT for word in words.split(", ")}
    assert ours - takes == set()


def test_a_class_of_the_users_own_takes_what_its_constructor_takes():
    class Mine(sg.nn.Layer):
        def __init__(self, lr, **more):
            self.lr, self.more = lr, more

    mine = Mine(lr=1, betas=2)
    assert (mine.lr, mine.more) == (1, {"betas": 2})
