"""A trace shows what happened in a pass, and does not change it."""

import math

import numpy as np
import pytest
from small_models import labels_of, small_model

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.nn import (
    BatchNorm,
    Dense,
    Dropout,
    JoinLabels,
    Layer,
    Network,
    ReLU,
    Residual,
    Tanh,
    Tied,
)

NOISE = 3


def vae(*encoder: Layer, decoder: tuple[Layer, ...] = (Dense(2, 3),), **settings) -> sg.models.VAE:
    """A VAE of (3,) with a latent of 2, in float64, none of its parameters as it was drawn."""
    settings = {"likelihood": "bernoulli", "dtype": "float64"} | settings
    model = sg.models.VAE(Network((3,), *encoder), Network((2,), *decoder), rng=0, **settings)
    model.vector[:] = np.random.default_rng(1).standard_normal(model.vector.size)
    return model


def gan(penalty=None) -> sg.models.GAN:
    generator = Network((2,), Dense(2, 4), Tanh(), Dense(4, 3))
    discriminator = Network((3,), Dense(3, 5), Tanh(), Dense(5, 1))
    return sg.models.GAN(generator, discriminator, penalty=penalty, dtype="float64", rng=0)


@pytest.fixture
def x():
    return np.random.default_rng(0).random((6, 3))


def test_activations_are_those_of_a_forward_by_hand(x):
    model = vae(Dense(3, 5), Tanh(), Dense(5, 4))
    trace, p = model.trace(x, rng=NOISE), model.views
    hidden = x @ p.encoder[0].w + p.encoder[0].b
    heads = np.tanh(hidden) @ p.encoder[2].w + p.encoder[2].b
    noise = np.random.default_rng(NOISE).standard_normal((6, 2))
    raw = (heads[:, :2] + np.exp(heads[:, 2:] / 2) * noise) @ p.decoder[0].w + p.decoder[0].b
    expected = {
        "encoder.0": hidden,
        "encoder.1": np.tanh(hidden),
        "encoder.2": heads,
        "decoder.0": raw,
    }
    assert list(trace) == list(expected)
    for name, activation in expected.items():
        assert trace[name].activation == pytest.approx(activation, rel=1e-12), name


class Shift(Layer):
    """y = x + shift, with a shift for each number of the batch, to measure dL/dy."""

    def __init__(self, shape):
        self.shift = np.zeros(shape)

    def forward(self, p, x, tape):
        return x + self.shift

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy if need_dx else None


def test_the_gradient_is_the_derivative_of_the_number_by_the_activation(x):
    shifts = [Shift((6, 5)), Shift((6, 4))]
    decoder = (Dense(2, 4), Shift((6, 4)), Tanh(), Dense(4, 3))
    model = vae(Dense(3, 5), shifts[0], Tanh(), Dense(5, 4), shifts[1], decoder=decoder)
    shifts = {"encoder.1": shifts[0], "encoder.4": shifts[1], "decoder.1": decoder[1]}

    def value(moved):
        for name, shift in moved.items():
            shifts[name].shift[:] = shift
        return model.objective("vae", x, NOISE)

    def gradients(dvalue, moved):
        value(moved)
        trace = model.trace(x, rng=NOISE)
        return {"moved": {name: dvalue * trace[name].gradient for name in moved}}

    nowhere = {name: np.zeros_like(shift.shift) for name, shift in shifts.items()}
    report = sg.check_pair(value, gradients, (nowhere,))
    assert report.ok, report
    value(nowhere)
    trace = model.trace(x, rng=NOISE)
    assert np.array_equal(trace["encoder.0"].gradient, trace["encoder.1"].gradient)


def test_a_dense_layers_gradients_are_its_input_times_the_gradient_of_its_output(x):
    model = vae(Dense(3, 5), Tanh(), Dense(5, 4))
    trace = model.trace(x, rng=NOISE)
    for name, before in (("encoder.0", x), ("encoder.2", trace["encoder.1"].activation)):
        dy, gradients = trace[name].gradient, trace[name].gradients
        assert gradients["w"] == pytest.approx(before.T @ dy, rel=1e-12)
        assert gradients["b"] == pytest.approx(dy.sum(axis=0), rel=1e-12)


@pytest.mark.parametrize("penalty", [None, "r1", "gradient_penalty"])
def test_parameter_gradients_and_numbers_are_those_of_objective(x, penalty):
    for model in (gan(penalty), vae(Dense(3, 4))):
        trace, rng = model.trace(x, rng=NOISE), np.random.default_rng(NOISE)
        for player, moved in model.players.items():
            gradient, layout = model.gradient(player), model.block.layout
            start, entries = layout.span(moved).start, layout.entries_of(moved)
            expected = {entry.name: entry.view(gradient.vector, start) for entry in entries}
            value = model.objective(player, x, rng, gradient)
            number = "loss" if player == "vae" else player
            assert trace.reported[player][number] == value
            shown = {
                f"{name.split('.')[0]}.{name.split('.')[-1]}.{key}": array
                for title in trace.turns[player]
                for name in trace.passes[title]
                for key, array in trace[name].gradients.items()
            }
            assert set(shown) == {entry.name for entry in entries}
            for entry in entries:
                assert np.array_equal(shown[entry.name], expected[entry.name]), entry.name


@pytest.mark.parametrize("recipe", sorted(sg.models.RECIPES))
def test_every_turn_shows_the_gradients_that_move_its_player(recipe, x):
    """Also where two players move the same network, as in an adversarial autoencoder."""
    model = small_model(recipe, (3,), latent=2, hidden=(4,), dtype="float64", rng=0)
    labels = labels_of(model, len(x))
    trace, rng = model.trace(x, rng=NOISE, **labels), np.random.default_rng(NOISE)
    for player in model.players:
        gradient, expected = model.gradient(player), {}
        model.objective(player, x, rng, gradient, **labels)
        for name in model.players[player]:
            layers = zip(getattr(model, name).layers, getattr(gradient.views, name), strict=True)
            for i, (layer, g) in enumerate(layers):
                expected |= {(name, f"{i}", key): getattr(g, key) for key in layer.parameters()}
        shown = {
            (name.split(".")[0], name.split(".")[-1], key): array
            for title in trace.turns[player]
            for name in trace.passes[title]
            for key, array in trace[name].gradients.items()
        }
        assert set(shown) == set(expected)
        for at, gradient in expected.items():
            assert np.array_equal(shown[at], gradient), (player, at)


def test_the_second_player_that_goes_back_through_a_network_is_named(x):
    model = small_model("aae", (3,), latent=2, hidden=(4,), rng=0)
    trace = model.trace(x, rng=NOISE)
    assert trace.turns["autoencoder"] == ["encoder", "decoder"]
    assert trace.turns["generator"] == ["encoder.generator", "discriminator.judged"]
    first, second = trace["encoder.0"], trace["encoder.generator.0"]
    assert np.array_equal(first.activation, second.activation)
    assert not np.allclose(first.gradient, second.gradient)


def test_a_gans_names_say_whose_turn_it_is(x):
    layers = range(3)
    judging = [f"discriminator.{on}.{i}" for on in ("real", "fake") for i in layers]
    generating = [f"{title}.{i}" for title in ("generator", "discriminator.judged") for i in layers]
    slopes = [f"discriminator.penalty.{i}" for i in layers]
    assert list(gan().trace(x, rng=0)) == judging + generating
    assert list(gan("r1").trace(x, rng=0)) == judging + slopes + generating
    trace = gan("r1").trace(x, rng=0)
    assert trace.turns["generator"] == ["generator", "discriminator.judged"]
    assert np.array_equal(trace["discriminator.penalty.2"].gradient, np.ones((6, 1)))  # dD/dD
    assert trace["discriminator.judged.0"].gradients == {}  # it is not the discriminator's turn
    assert trace["discriminator.judged.0"].gradient.shape == (6, 5)
    assert set(trace["discriminator.judged.0"].parameters) == {"w", "b"}


def test_the_judged_examples_are_those_of_the_generator(x):
    model = gan()
    trace = model.trace(x, rng=0)
    fakes = trace["generator.2"].activation
    assert trace["discriminator.judged.2"].activation[:, 0] == pytest.approx(model.score(fakes))
    assert trace["discriminator.real.2"].activation[:, 0] == pytest.approx(model.score(x))
    first = model.views.discriminator[0].w
    dmade = trace["discriminator.judged.0"].gradient @ first.T
    assert trace["generator.2"].gradient == pytest.approx(dmade)


def test_layers_within_layers_have_names_by_their_places(x):
    inner = Network((4,), Dense(4, 4), Network((4,), Tanh(), Dense(4, 4)))
    model = vae(Dense(3, 4), Residual(inner))
    trace = model.trace(x, rng=NOISE)
    names = ["0", "1", "1.0", "1.0.0", "1.0.1", "1.0.1.0", "1.0.1.1"]
    assert [name for name in trace if name.startswith("enc")] == [f"encoder.{n}" for n in names]
    before, f = trace["encoder.0"].activation, trace["encoder.1.0"].activation
    assert trace["encoder.1"].activation == pytest.approx(before + f)
    assert isinstance(trace["encoder.1"].layer, Residual)
    assert trace["encoder.1.0"].layer is inner
    dense, inside = trace["encoder.1.0.1.1"], trace["encoder.1.0.1.0"]
    assert dense.gradients["w"] == pytest.approx(inside.activation.T @ dense.gradient)


def test_a_layer_used_twice_is_shown_at_both_places_with_the_sum_of_its_gradients(x):
    again = Dense(4, 4)
    model = vae(Dense(3, 4), again, Tanh(), again)
    trace = model.trace(x, rng=NOISE)
    first, second = trace["encoder.1"], trace["encoder.3"]
    assert first.layer is second.layer is again
    expected = trace["encoder.0"].activation.T @ first.gradient
    expected += trace["encoder.2"].activation.T @ second.gradient
    for record in (first, second):
        assert record.gradients["w"] == pytest.approx(expected)
    assert not np.allclose(first.activation, second.activation)


def test_a_tied_layer_shows_the_weights_that_it_borrows(x):
    first = Dense(3, 2)
    model = vae(first, Dense(2, 4), decoder=(Tied(first),))
    trace = model.trace(x, rng=NOISE)
    tied, owner = trace["decoder.0"], trace["encoder.0"]
    assert np.array_equal(tied.parameters["w"], owner.parameters["w"].T)
    assert np.array_equal(tied.gradients["w"], owner.gradients["w"].T)
    assert tied.gradients["b"] == pytest.approx(tied.gradient.sum(axis=0))


def test_nothing_moves_and_nothing_is_left_on_the_layers(x):
    model = vae(Dense(3, 4), BatchNorm(4), Dropout(0.3), Dense(4, 4))
    before = [array.tobytes() for array in model.block.snapshot()]
    layers = [dict(vars(layer)) for layer in model.encoder.layers]
    network = model.encoder
    model.trace(x, rng=NOISE)
    assert [array.tobytes() for array in model.block.snapshot()] == before
    assert [dict(vars(layer)) for layer in model.encoder.layers] == layers
    assert model.encoder is network
    assert model.training_log == []


def test_one_mask_serves_the_pass_and_its_gradient_and_none_is_drawn_in_evaluation(x):
    model = vae(Dense(3, 40), Dropout(0.5), Dense(40, 4))
    trace = model.trace(x, rng=NOISE)
    dropped = trace["encoder.1"].activation == 0
    assert 0.3 < dropped.mean() < 0.7
    assert np.array_equal(trace["encoder.0"].gradient == 0, dropped)
    calm = model.trace(x, rng=NOISE, training=False)
    assert np.array_equal(calm["encoder.0"].activation, calm["encoder.1"].activation)


def test_the_same_rng_gives_the_same_trace_and_another_rng_another_trace(x):
    model = gan("gradient_penalty")
    first, same, other = (model.trace(x, rng=seed) for seed in (1, 1, 2))
    for name in first:
        assert np.array_equal(first[name].activation, same[name].activation)
    fake = "discriminator.fake.0"
    assert not np.array_equal(first[fake].activation, other[fake].activation)
    assert not np.array_equal(first[fake].activation, first["discriminator.judged.0"].activation)


def test_labels_are_joined_and_are_refused_without_a_layer_to_join_them(x):
    labels = np.arange(6) % 3
    model = vae(JoinLabels(3, 2), Dense(5, 4))
    trace = model.trace(x, rng=NOISE, labels=labels)
    table = trace["encoder.0"].parameters["table"]
    assert np.array_equal(trace["encoder.0"].activation[:, 3:], table[labels])
    with pytest.raises(errors.OptionError, match="wants the label of each example"):
        model.trace(x, rng=NOISE)
    with pytest.raises(errors.OptionError, match="leave labels out"):
        gan().trace(x, rng=NOISE, labels=labels)


def test_the_arrays_are_the_callers_own(x):
    model = vae(Dropout(0.0), Dense(3, 4))
    kept, before = x.copy(), model.vector.copy()
    trace = model.trace(x, rng=NOISE, training=False)
    for record in trace.values():
        arrays = [record.activation, *record.parameters.values(), *record.gradients.values()]
        for array in arrays if record.gradient is None else [*arrays, record.gradient]:
            array[...] = 7
    assert np.array_equal(x, kept)
    assert np.array_equal(model.vector, before)
    assert trace["encoder.0"].gradient is None  # nothing before Dense learns
    first = model.trace(x, rng=NOISE)["encoder.1"].activation.copy()
    model.trace(x[:2], rng=NOISE)
    assert np.array_equal(model.trace(x, rng=NOISE)["encoder.1"].activation, first)


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        (np.zeros((0, 3)), errors.DataError, "no examples: wants at least one"),
        (np.zeros((2, 4)), errors.ShapeError, r"wants \(N, 3\)"),
        (np.full((2, 3), np.nan), errors.DataError, "NaN"),
        (np.full((2, 3), 2.0), errors.DataError, "Bernoulli"),
        ("text", errors.KindError, "real numbers"),
    ],
)
def test_x_is_checked_as_everywhere(bad, error, text):
    with pytest.raises(error, match=text):
        vae(Dense(3, 4)).trace(bad)


def test_a_bad_rng_is_refused_by_name(x):
    with pytest.raises(errors.OptionError, match="rng='x'"):
        vae(Dense(3, 4)).trace(x, rng="x")


class Twice(Layer):
    """A user's container, which does not say how to be built around other layers."""

    def __init__(self, inside):
        self.inside = inside

    def children(self):
        return (self.inside,)

    def forward(self, p, x, tape):
        return 2 * self.inside.forward(p[0], x, tape.inner(0))

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self.inside.backward(p[0], 2 * dy, tape.inner(0), None if g is None else g[0])


def test_a_layer_that_hides_its_inner_layers_is_shown_as_a_single_layer(x):
    trace = vae(Twice(Dense(3, 3)), Dense(3, 4)).trace(x, rng=NOISE)
    assert list(trace) == ["encoder.0", "encoder.1", "decoder.0"]
    assert trace["encoder.0"].gradient.shape == (6, 3)


def test_a_printed_trace_is_a_table_of_means_spreads_and_norms(x):
    trace = vae(Dense(3, 5), ReLU(), Dense(5, 4)).trace(x, rng=NOISE)
    lines = repr(trace).splitlines()
    assert str(trace) == repr(trace)
    assert lines[0].startswith("vae's turn: loss ")
    assert max(map(len, lines)) <= 79
    row = next(line for line in lines if "Dense(5 -> 4)" in line).split()
    record = trace["encoder.2"]
    expected = [
        record.activation.mean(),
        record.activation.std(),
        math.sqrt((record.gradient**2).sum()),
    ]
    expected.append(math.sqrt(sum((g**2).sum() for g in record.gradients.values())))
    assert [float(word) for word in row[4:]] == pytest.approx(expected, rel=5e-3)
    assert repr(record) == "<Dense(5 -> 4): activation (6, 4), with its gradient>"
