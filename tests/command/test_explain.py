"""`scratchgen explain`: what it prints is true, and fits a terminal."""

import re

import numpy as np
import pytest
from command_line import run

import scratchgen as sg
from scratchgen.command import explain
from scratchgen.distributions import LIKELIHOODS, Categorical
from scratchgen.ground.rng import stream
from scratchgen.ground.tables import columns, number
from scratchgen.losses import LOSSES, AdversarialLoss
from scratchgen.models import VAE, Model
from scratchgen.nn import (
    ELU,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    JoinLabels,
    Layer,
    LayerNorm,
    Maxout,
    Network,
    ReLU,
    Residual,
    Tanh,
    Tied,
)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, few_digits):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explained(model: Model, capsys, *more: str) -> str:
    """What is printed of a model; at most 79 columns, and none of them trailing spaces."""
    sg.save(model, "model.npz")
    assert run("explain", "model.npz", *more) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert max(map(len, lines)) <= 79
    assert all(line == line.rstrip() for line in lines)
    assert captured.out.isascii()
    assert not re.search(r"(?<![\w.-])-0(\.0*)?(?![\w.])", captured.out)  # no negative zero
    return captured.out


def flat(text: str) -> str:
    """Text without its line breaks."""
    return " ".join(text.split())


def nested() -> VAE:
    inner = Network((6,), Dense(6, 30), ELU(), Residual(Network((30,), Dense(30, 30), Tanh())))
    encoder = Network((4,), Dense(4, 6), LayerNorm(6), Residual(Network((6,), inner, Dense(30, 6))))
    return VAE(
        Network((4,), *encoder.layers, Dropout(0.1), Dense(6, 4)), Network((2,), Dense(2, 8)), rng=0
    )


def tied() -> VAE:
    first, again = Dense(4, 3), Dense(3, 3)
    encoder = Network((4,), first, again, ReLU(), again, Dense(3, 6))
    return VAE(encoder, Network((3,), again, Tied(first)), "gaussian_fixed", rng=0)


def every_layer() -> VAE:
    encoder = Network(
        (4,), GaussianNoise(0.123456789), BatchNorm(4), JoinLabels(10, 1234), Dense(1238, 20)
    )
    encoder = Network((4,), *encoder.layers, Maxout(5), Dense(4, 4))
    return VAE(encoder, Network((2,), Dense(2, 8)), rng=0)


MODELS = {
    "vae": lambda: sg.models.vae((28, 28, 1), latent=3, hidden=(16,), rng=0),
    "long": lambda: sg.models.vae((4,), hidden=(2,) * 120, warm_up=1234567, free_bits=0.1, rng=0),
    "wide": lambda: sg.models.vae((4,), latent=12345, hidden=(3,), beta=1e-9, rng=0),
    "wgan_gp": lambda: sg.models.wgan_gp((28, 28, 3), latent=2, hidden=(5, 4), rng=0),
    "wgan": lambda: sg.models.wgan((4,), weight_clip=0.0123, hidden=(9,), penalty="r1", rng=0),
    "conditional": lambda: sg.models.gan((4,), n_labels=3, hidden=(9,), rng=0),
    "deep axes": lambda: sg.models.vae((2, 3, 1, 2, 1, 2, 1, 2), likelihood="mse", rng=0),
    "nested": nested,
    "tied": tied,
    "every layer": every_layer,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_has_its_row_and_the_counts_add_up(name, capsys):
    model = MODELS[name]()
    out = explained(model, capsys)
    assert f"{model.parameter_count():,} parameters, float32" in out
    totals = [int(n.replace(",", "")) for n in re.findall(r"^ +total +([\d,]+)$", out, re.M)]
    assert len(totals) == 2
    assert sum(totals) == model.parameter_count()
    for network, text in zip(
        model.networks.values(), re.split(r"\n\n\w+: .* -> .*\n", out)[1:], strict=True
    ):
        rows = re.findall(r"^ +(\d[\d.]*) ", text, re.M)
        places = list(explain.places(network, network.in_shape, "n"))
        assert rows == [place.name.removeprefix("n.") for place in places]


def test_a_row_says_layer_formula_output_and_parameters(capsys):
    out = explained(MODELS["vae"](), capsys)
    assert re.search(r"^  1  Dense\(784 -> 16\) +y = x w \+ b +\(16,\) +12,560$", out, re.M)
    assert re.search(r"^  2  ReLU\(\) +y = max\(x, 0\) +\(16,\)$", out, re.M)
    assert "encoder: (28, 28, 1) -> (6,)" in out


def test_shapes_within_layers_are_those_of_the_arrays(capsys):
    model = nested()
    x = np.zeros((5, 4))
    trace = model.trace(x, rng=0)
    network = model.networks["encoder"]
    for place in explain.places(network, network.in_shape, "encoder"):
        assert trace[place.name].activation.shape == (5, *place.out_shape), place.name


def test_shared_and_tied_layers_say_so_and_count_once(capsys):
    out = explained(tied(), capsys)
    assert len(re.findall(r"Dense\(3 -> 3\) .* shared$", out, re.M)) == 2
    assert re.search(r"Tied\(3 -> 4\) .* 4, tied$", out, re.M)
    assert "encoder.3 is the same layer as encoder.1, counted there" in out
    assert "decoder.0 is the same layer as encoder.1, counted there" in out
    assert "decoder.1 is tied: it uses weights of encoder.0" in out
    assert "shared" not in explained(nested(), capsys)


@pytest.mark.parametrize("loss", LOSSES)
def test_each_player_of_a_gan_says_what_it_minimises(loss, capsys):
    """The formulas, read as Python, are the values of the games."""
    out = explained(sg.models.gan((2,), loss=loss, rng=0), capsys)
    formulas = re.findall(r"^\w+ minimises.*\n  (.*)$", out, re.M)
    r, f = np.random.default_rng(0).standard_normal((2, 50))
    names = {"log": np.log, "max": np.maximum, "sigmoid": lambda a: 1 / (1 + np.exp(-a))}
    formulas = [
        re.sub(r"log (\w+\(\w\))", r"log(\1)", text).replace("^", "**") for text in formulas
    ]
    formulas = [re.sub(r"(\d) (?=\w)", r"\1 * ", text) for text in formulas]
    values = [eval(text, names | {"r": r, "f": f}) for text in formulas]
    game = LOSSES[loss]
    assert values[0] == pytest.approx(game.discriminator(r, f), rel=1e-12)
    assert values[1] == pytest.approx(game.generator(f), rel=1e-12)


def test_settings_of_the_game_are_named(capsys):
    out = flat(explained(MODELS["wgan_gp"](), capsys))
    assert "f - r + penalty" in out
    assert "penalty = weight (|dD/dx| - target)^2 between real and fake x, weight = 10" in out
    assert "it makes 5 moves for each move of the generator" in out
    out = flat(explained(MODELS["wgan"](), capsys))
    assert "its weights are cut to [-0.0123, 0.0123]" in out
    assert "penalty = weight / 2 |dD/dx|^2 at real x, weight = 10" in out
    assert "penalty" not in explained(sg.models.gan((2,), rng=0), capsys)


def test_the_settings_of_a_vae_are_named(capsys):
    out = explained(MODELS["long"](), capsys)
    assert "-E[log p(x|z)] + beta KL(q(z|x) || N(0, I))" in out
    assert "beta = 1, to which it rises over 1,234,567 steps" in out
    assert "each latent's KL counts as at least 0.1: free bits" in out
    plain = explained(MODELS["vae"](), capsys)
    assert "p(x|z), raw = decoder(z): x_j ~ Bernoulli(sigmoid(raw_j))" in plain
    assert "free bits" not in plain
    assert "rises" not in plain


def test_every_likelihood_game_penalty_and_layer_has_a_formula():
    kinds = [*LIKELIHOODS.values(), *sg.losses.PENALTIES.values(), *sg.nn.LAYERS.values()]
    assert all(kind.formula and kind.formula.isascii() for kind in kinds)
    assert all(game.discriminator_formula and game.generator_formula for game in LOSSES.values())
    for kind in LIKELIHOODS.values():
        likelihood = Categorical(5) if kind is Categorical else kind()
        shape = likelihood.raw_shape((2,))
        raw = Network((1,), Dense(1, int(np.prod(shape))), sg.nn.Reshape(shape))
        model = VAE(Network((2,), Dense(2, 2)), raw, likelihood, rng=0)
        assert kind.formula in " ".join(model.objective_text("vae"))


def test_a_game_of_the_users_own_is_called_by_its_name():
    game = AdversarialLoss("my_game", *[None] * 4)
    gan = sg.models.gan((2,), loss=game, rng=0)
    assert gan.objective_text("discriminator")[0] == "the my_game loss of r and f"
    assert gan.objective_text("generator")[0] == "the my_game loss of f"


# live numbers


def words_of(out: str, heading: str, place: str, layer: str) -> list[str]:
    """The numbers in the row of a layer, below a heading."""
    text = out.split(f"\n{heading}:\n")[1].split("\n\n")[0]
    row = re.search(rf"^  {re.escape(place)}  {re.escape(layer)} +(.*)$", text, re.M)
    return row.group(1).split()


def test_statistics_are_those_of_a_trace(capsys):
    model = sg.models.wgan_gp((2,), latent=2, hidden=(8, 8), rng=0)
    out = explained(model, capsys, "--data", "ring", "--seed", "5", "-n", "40")
    assert "One training step on 40 examples of ring, seed 5, without moving any weight" in out
    x = sg.data.load("ring")
    x = x[stream(5, "examples").permutation(len(x))[:40]]
    trace = model.trace(x, stream(5, "noise"))
    for name, layer_trace in trace.items():
        heading, place = name.rsplit(".", 1)
        printed = words_of(out, heading, place, str(layer_trace.layer))
        y = layer_trace.activation.astype(float)
        expected = [y.mean(), y.std()]
        if isinstance(layer_trace.layer, ReLU):
            share = printed.pop(2)
            assert share == f"{(layer_trace.activation == 0).all(axis=0).mean():.0%}"
        expected.append(np.sqrt((layer_trace.gradient.astype(float) ** 2).sum()))
        if layer_trace.gradients:
            total = sum((g.astype(float) ** 2).sum() for g in layer_trace.gradients.values())
            expected.append(np.sqrt(total))
        assert [float(word.replace(",", "")) for word in printed] == pytest.approx(
            expected, rel=5e-3
        )
    for numbers in trace.reported.values():
        for name, value in numbers.items():
            assert f"{name} {number(value)}" in out
    assert "measures D's slope" in " ".join(out.split())


@pytest.mark.parametrize("name", ["long", "wide", "wgan", "conditional", "nested", "tied"])
def test_tables_of_values_and_gradients_fit_the_terminal(name, capsys):
    rng = np.random.default_rng(0)
    np.savez("data.npz", x=rng.standard_normal((300, 4)) * 1e4, labels=np.arange(300) % 3)
    out = explained(MODELS[name](), capsys, "--data", "data.npz")
    assert "step on 256 examples of data.npz, seed " in out


def test_values_and_gradients_are_shown_for_pictures(capsys):
    out = explained(MODELS["vae"](), capsys, "--data", "digits", "-n", "64", "--seed", "0")
    assert "step on 64 examples of digits, seed 0" in out
    assert "|dD/dy|" not in out


def test_all_examples_are_used_if_there_are_fewer_than_n(capsys):
    np.save("few.npy", np.zeros((3, 4)))
    assert "step on 3 examples of few.npy" in explained(
        MODELS["wgan"](), capsys, "--data", "few.npy"
    )


def test_one_seed_prints_the_same_and_a_fresh_one_is_named(capsys):
    model = sg.models.gan((2,), rng=0)
    first, same = (explained(model, capsys, "--data", "ring", "--seed", "1") for _ in range(2))
    assert first == same
    fresh = explained(model, capsys, "--data", "ring")
    seed = re.search(r"seed (\d+)", fresh).group(1)
    assert explained(model, capsys, "--data", "ring", "--seed", seed) == fresh


def test_a_sick_model_gets_its_warning_and_a_healthy_model_none(capsys):
    model = sg.models.vae((2,), latent=2, hidden=(16, 16), rng=0)
    words = ("--data", "ring", "--seed", "0")
    assert "no warnings: " in explained(model, capsys, *words)
    model.views.encoder[2].b[:] = -1e3
    out = explained(model, capsys, *words)
    assert "warning: encoder.3 ReLU(): 100% of its units are dead" in out
    assert "its gradient is exactly 0" in flat(out)
    assert "no warnings" not in out
    assert words_of(out, "encoder", "3", "ReLU()")[:3] == ["0", "0", "100%"]


def test_a_posterior_that_collapsed_is_a_warning_and_active_latents_are_counted(capsys, points):
    words = ("--data", "ring", "--seed", "0")
    for beta, active, word in ((0.1, "2 of 2", "no warnings"), (200.0, "0 of 2", "warning: post")):
        model = sg.models.vae((2,), latent=2, hidden=(16,), beta=beta, rng=0)
        sg.fit(model, points, epochs=60, batch_size=50, seed=0)
        out = explained(model, capsys, *words)
        assert f"{active} latents are active" in out
        assert word in out


def test_numbers_that_overflow_are_shown_and_not_raised(capsys):
    model = sg.models.vae((2,), latent=2, hidden=(16,), rng=0)
    model.views.encoder[0].w[:] = 1e38
    out = explained(model, capsys, "--data", "ring", "--seed", "0")
    assert "NaN or infinite" in flat(out)


def test_labels_come_from_the_data_and_data_without_labels_are_refused(capsys):
    model = MODELS["conditional"]()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4))
    np.savez("labelled.npz", x=x, labels=np.arange(60) % 3)
    out = explained(model, capsys, "--data", "labelled.npz")
    assert "JoinLabels(3 labels, width 16)" in flat(out)
    np.save("bare.npy", x)
    assert run("explain", "model.npz", "--data", "bare.npy") == 2
    assert "bare.npy has none" in flat(capsys.readouterr().err)
    np.savez("more.npz", x=x, labels=np.arange(60) % 5)
    assert run("explain", "model.npz", "--data", "more.npz") == 1
    assert "wants whole numbers 0 ... 2" in flat(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("nowhere", 1, "there is no file"),
        (".", 1, "holds no model.npz"),
        ("points.npy", 1, "no model file"),
        ("gan.npz --data nowhere", 1, "no data called"),
        ("gan.npz --data digit", 1, "did you mean 'digits'"),
        ("gan.npz --data digits", 1, "wants (N, 2)"),
        ("vae.npz --data loud.npy", 1, "wants values in [0, 1]"),
        ("gan.npz --seed 1", 2, "--seed 1 chooses examples, so it needs --data DATA too"),
        ("gan.npz -n 1", 2, "-n 1 chooses examples, so it needs --data DATA too"),
        ("gan.npz --data ring -n 0", 2, "at least 1"),
        ("gan.npz --dta ring", 2, "did you mean '--data'"),
        ("", 2, "required: RUN"),
    ],
)
def test_a_wrong_call_is_explained_in_a_few_lines(words, code, text, capsys):
    sg.save(sg.models.gan((2,), rng=0), "gan.npz")
    sg.save(sg.models.vae((2,), likelihood="bernoulli", rng=0), "vae.npz")
    np.save("points.npy", np.zeros((4, 2)))
    np.save("loud.npy", np.full((4, 2), 9.0))
    assert run("explain", *words.split()) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in flat(captured.err)
    assert len(captured.err.splitlines()) <= 3


# text in columns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1.00"),
        (-0.0012345, "-0.00123"),
        (1e-5, "1.00e-05"),
        (99.96, "100"),
        (999.6, "1,000"),
        (-123456.0, "-123,000"),
        (999_600.0, "1.00e+06"),
        (float("nan"), "nan"),
        (-float("inf"), "-inf"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize("width", [10, 30, 79])
def test_a_table_keeps_its_width_and_all_its_letters(width):
    rng = np.random.default_rng(width)
    rows = [
        tuple("".join(rng.choice(list("abc "), size=int(rng.integers(0, 60)))) for _ in range(3))
        for _ in range(5)
    ]
    lines = columns(rows, "<<>", width)
    assert max(map(len, lines)) <= width
    for letter in "abc":
        assert "".join(lines).count(letter) == sum(cell.count(letter) for r in rows for cell in r)


class Unnamed(Layer):
    """A user's layer without a formula."""

    def forward(self, p, x, tape):
        return x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy


def test_a_layer_without_a_formula_has_an_empty_cell():
    gan = sg.models.GAN(Network((2,), Dense(2, 2), Unnamed()), Network((2,), Dense(2, 1)), rng=0)
    row = next(line for line in explain.structure(gan) if "Unnamed" in line)
    assert row.split() == ["1", "Unnamed()", "(2,)"]


def test_a_tied_layer_without_a_bias_that_stands_twice_says_that_it_is_the_same(capsys):
    dense = Dense(4, 4)
    same = Tied(dense, bias=None)
    encoder = Network((4,), dense, same, same, Dense(4, 2))
    out = explained(VAE(encoder, Network((1,), Dense(1, 8)), "gaussian", rng=0), capsys)
    assert "encoder.2 is the same layer as encoder.1" in out
