"""`scratchgen train`: every variant and every setting that reaches the model and the optimizer."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.command import entry as cli
from scratchgen.command import run_pictures
from scratchgen.command.model_options import options_of
from scratchgen.models import RECIPES

TINY = ["--epochs", "2", "--batch-size", "50", "--hidden", "8", "--latent", "2", "--seed", "1"]


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch, pictures_with_labels, points):
    """An empty folder with small data, and no pictures, which cost time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", lambda name: False)
    x, labels = pictures_with_labels
    np.savez("pictures.npz", x=x, labels=labels)
    np.save("points.npy", points[:200])
    np.save("classes.npy", np.random.default_rng(0).integers(0, 4, (100, 6)))


def train(model: str, *words: str, source: str = "points.npy") -> int:
    arguments = ["train", model, "--data", source, "--out", "run", *TINY, *words]
    try:
        return cli.main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


def trained(model: str, *words: str, source: str = "points.npy"):
    """The model that a command trained, and its record."""
    assert train(model, *words, source=source) == 0
    loaded = sg.load("run/model.npz")
    return loaded, loaded.training_log[-1]


def error_of(capsys) -> str:
    text = capsys.readouterr().err
    assert 1 <= len(text.splitlines()) <= 3
    assert "Traceback" not in text
    return " ".join(text.split())


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@pytest.mark.parametrize("source", ["points.npy", "pictures.npz"])
def test_every_variant_trains(recipe, source, capsys):
    if RECIPES[recipe].needs_labels and source == "points.npy":
        assert train(recipe, source=source) == 2
        assert "learns from the labels of its data, and points.npy has none" in error_of(capsys)
        return
    model, record = trained(recipe, source=source)
    assert record["epochs"] == 2
    assert type(model) is RECIPES[recipe].family


@pytest.mark.parametrize(("beta", "active"), [("0.1", "2 of 2"), ("200", "0 of 2")])
def test_the_end_says_how_many_latents_are_active_and_warns_if_none_is(beta, active, capsys):
    assert train("vae", "--beta", beta, "--epochs", "60") == 0
    out = capsys.readouterr().out
    assert f"{active} latents are active" in out
    assert ("warning: posterior collapse" in out) == (active == "0 of 2")


def test_the_command_line_names_every_recipe_the_vae_first(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    listed = " ".join(f"{name} {recipe.text}" for name, recipe in RECIPES.items())
    assert f"MODEL {listed}" in text
    assert next(iter(RECIPES)) == "vae"


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_setting_that_a_recipe_takes_has_an_option_with_a_text(recipe):
    of = RECIPES[recipe]
    options = options_of(of)
    assert len({option.name for option in options}) == len(options)
    assert all(option.text for option in options)
    without = set(of.takes) - {option.setting for option in options}
    assert without <= {"n_labels", "dtype", "rng", "scaler"}


@pytest.mark.parametrize("optimizer", sorted(set(sg.optim.OPTIMIZERS) - {"clip_norm"}))
@pytest.mark.parametrize("model", ["vae", "gan"])
def test_every_optimizer_is_reached(model, optimizer):
    _, record = trained(model, "--optimizer", optimizer, "--lr", "1e-4")
    for optimizer_record in record["optimizer"].values():
        assert optimizer_record["name"] == optimizer
        assert optimizer_record["learning_rate"] == 1e-4


@pytest.mark.parametrize("schedule", sorted(set(sg.optim.SCHEDULES) - {"warm_up", "chain"}))
def test_every_schedule_is_reached_and_keeps_the_models_own_optimizer(schedule):
    _, record = trained("gan", "--lr-schedule", schedule)
    for optimizer_record in record["optimizer"].values():
        assert optimizer_record["learning_rate"]["name"] == schedule
        assert optimizer_record["b1"] == 0.5
    rates = [
        optimizer_record["learning_rate"]["rate"]
        for optimizer_record in record["optimizer"].values()
    ]
    assert rates == [4 * 2e-3, 2e-3]


def test_a_warm_up_comes_before_the_schedule_and_both_fill_the_run():
    _, record = trained("vae", "--lr-warm-up", "3", "--lr-schedule", "cosine", "--lr", "0.01")
    rate = record["optimizer"]["vae"]["learning_rate"]
    assert rate["name"] == "chain"
    first, second = rate["schedules"]
    assert (first["name"], first["rate"], first["steps"]) == ("warm_up", 0.01, 3)
    assert (second["name"], second["rate"], second["steps"]) == ("cosine", 0.01, 5)


def test_clipping_and_averaging_are_recorded_and_printed(capsys):
    _, record = trained("vae", "--clip-norm", "0.5", "--average", "0.9")
    assert record["optimizer"]["vae"]["name"] == "clip_norm"
    assert record["optimizer"]["vae"]["norm"] == 0.5
    assert record["average"] == 0.9
    capsys.readouterr()
    assert cli.main(["info", "run"]) == 0
    text = capsys.readouterr().out
    assert "vae by clip_norm, optimizer (adam, learning_rate 0.001" in text
    assert "weights averaged, keep 0.9" in text
    assert max(map(len, text.splitlines())) <= 79


def test_the_parts_of_a_vae_are_reached():
    model, _ = trained(
        "vae", "--beta", "2", "--kl-warm-up", "7", "--free-bits", "0.1", "--variance", "0.2"
    )
    assert (model.beta, model.warm_up, model.free_bits) == (2, 7, 0.1)
    assert model.likelihood == sg.distributions.FixedGaussian(0.2)


def test_the_settings_of_a_default_part_are_reached_without_its_name():
    model, _ = trained("vae", "--least-variance", "1e-3")
    assert model.likelihood == sg.distributions.Gaussian(1e-3)
    assert train("wgan_gp", "--penalty-target", "0.5", "--out", "b") == 0
    assert sg.load("b/model.npz").penalty == sg.losses.GradientPenalty(1.0, 0.5)


@pytest.mark.parametrize("name", ["gaussian", "gaussian_fixed", "gaussian_shared", "mse"])
def test_every_likelihood_of_real_numbers_is_reached(name):
    model, _ = trained("vae", "--likelihood", name)
    assert model.likelihood.name == name


@pytest.mark.parametrize("recipe", ["vae", "wgan_gp"])
@pytest.mark.parametrize(
    ("words", "layer"),
    [
        (("--activation", "silu"), sg.nn.SiLU()),
        (("--activation", "SiLU"), sg.nn.SiLU()),
        (("--activation", "elu", "--alpha", "0.5"), sg.nn.ELU(0.5)),
        (("--negative-slope", "0.1"), sg.nn.LeakyReLU(0.1)),
    ],
)
def test_an_activation_is_reached_in_any_case_and_with_its_settings(recipe, words, layer):
    model, _ = trained(recipe, *words)
    for network in model.networks.values():
        assert str(network.layers[1]) == str(layer)


def test_categories_are_reached_by_their_number():
    model, _ = trained("vae", "--classes", "4", source="classes.npy")
    assert model.likelihood == sg.distributions.Categorical(4)
    x = model.sample(50, rng=0, noise=True)
    assert set(np.unique(x)) <= {0, 1, 2, 3}


def test_the_parts_of_a_gan_are_reached():
    words = ["--loss", "hinge", "--discriminator-steps", "2", "--penalty", "r1"]
    model, _ = trained("gan", *words, "--penalty-weight", "0.5", "--instance-noise", "0.1")
    assert model.loss.name == "hinge"
    assert model.discriminator_steps == 2
    assert model.penalty == sg.losses.R1(0.5)
    assert model.networks["discriminator"].layers[0].std == 0.1


def test_a_bound_on_weights_is_reached_and_kept():
    model, _ = trained("wgan", "--weight-clip", "0.02")
    assert np.abs(model.theta("discriminator")).max() <= np.float32(0.02)


@pytest.mark.parametrize("recipe", ["vae", "gan"])
def test_a_conditional_model_is_trained_sampled_and_shown(recipe, capsys):
    model, _ = trained(recipe, "--conditional", source="pictures.npz")
    assert model.n_labels == 10
    assert cli.main(["sample", "run", "-n", "5", "--label", "3", "-o", "three.npy"]) == 0
    assert cli.main(["sample", "run", "-n", "12", "-o", "all.npy"]) == 0
    assert np.load("three.npy").shape == (5, 28, 28, 1)
    if recipe == "vae":
        words = ["reconstruct", "run", "--data", "pictures.npz", "-n", "5", "-o", "pairs.npy"]
        assert cli.main(words) == 0
        assert np.load("pairs.npy").shape == (5, 28, 28, 1)
    capsys.readouterr()
    assert cli.main(["sample", "run", "--label", "10", "-o", "ten.npy"]) == 1
    assert "10" in error_of(capsys)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["gan", "--penalty", "r2"], 2, "did you mean 'r1'"),
        (["vae", "--optimizer", "adm"], 2, "did you mean 'adam'"),
        (["vae", "--lr-schedule", "cos"], 2, "did you mean 'cosine'"),
        (["vae", "--lr-warm-up", "1000"], 2, "not below the 8 moves"),
        (["vae", "--average", "1"], 2, "[0, 1)"),
        (["vae", "--clip-norm", "0"], 2, "above 0"),
        (["vae", "--variance", "0"], 2, "a variance of 0 would make the density infinite"),
        (["vae", "--variance", "1", "--likelihood", "mse"], 2, "leave out one of the two"),
        (["vae", "--variance", "1", "--classes", "3"], 2, "leave out one of the two"),
        (["vae", "--likelihood", "categorical"], 2, "--classes"),
        (["vae", "--classes", "2"], 1, "classes"),
        (["gan", "--weight-clip", "-1"], 2, "above 0"),
        (["gan", "--conditional"], 2, "points.npy has none"),
        (["lsgan", "--loss", "hinge"], 2, "no option --loss"),
        (["wgan_gp", "--penalty-weight", "nan"], 2, "above 0"),
        (["wgangp"], 2, "did you mean 'wgan_gp'"),
    ],
)
def test_bad_settings_are_named_with_what_to_do(words, code, text, capsys):
    assert train(words[0], *words[1:]) == code
    assert text in error_of(capsys)


def test_the_settings_of_a_run_are_in_its_config():
    assert train("wgan_gp", "--average", "0.99") == 0
    config = json.loads(Path("run/config.json").read_text())
    assert config["penalty"] == {"name": "gradient_penalty", "target": 1.0, "weight": 1.0}
    assert config["average"] == 0.99
    assert config["discriminator_steps"] == 1


@pytest.mark.parametrize("name", ["swiss_roll", "two-moons"])
def test_a_toy_with_a_density_is_judged_by_it(name, capsys, monkeypatch):
    small = {name.replace("-", "_"): (sg.data.TOYS[name.replace("-", "_")].draw, 100)}
    monkeypatch.setattr(
        "scratchgen.data.sources.DRAWN",
        {key: (lambda n, rng, return_labels, d=d: d(n, rng), n) for key, (d, n) in small.items()},
    )
    assert train("gan", source=name) == 0
    assert "true log-density" in capsys.readouterr().out


def test_a_warm_up_of_the_whole_run_leaves_no_room_for_a_schedule(capsys):
    assert train("vae", "--lr-warm-up", "8") == 2
    assert "not below the 8 moves" in error_of(capsys)


def test_vectors_are_judged_by_draws_and_not_by_means():
    model = sg.models.vae((2,), likelihood=sg.distributions.FixedGaussian(100.0), rng=0)
    assert run_pictures.draw_examples(model, 1_000).std() > 5


@pytest.mark.parametrize(
    ("words", "name", "setting", "value"),
    [
        (["--optimizer", "rmsprop", "--centred"], "rmsprop", "centred", True),
        (["--optimizer", "nesterov", "--momentum", "0.5"], "nesterov", "momentum", 0.5),
        (["--optimizer", "adamw", "--weight-decay", "0.1"], "adamw", "weight_decay", 0.1),
        (["--optimizer", "adamw", "--weight-decay", "0"], "adamw", "weight_decay", 0),
    ],
)
def test_the_settings_of_an_optimizer_are_reached(words, name, setting, value):
    _, record = trained("vae", *words)
    assert record["optimizer"]["vae"]["name"] == name
    assert record["optimizer"]["vae"][setting] == value


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["vae", "--momentum", "0.5"], "is for --optimizer momentum or nesterov, not for Adam"),
        (["vae", "--optimizer", "sgd", "--centred"], "is for --optimizer rmsprop, not for SGD"),
        (["gan", "--penalty-weight", "3"], "name it with --penalty"),
        (["wgan", "--penalty-weight", "3"], "name it with --penalty"),
        (["vae", "--kl-warm-up", "9"], "above the 8 steps"),
    ],
)
def test_settings_of_other_optimizers_are_refused(words, text, capsys):
    assert train(*words) == 2
    assert text in error_of(capsys)


def test_a_warm_up_alone_keeps_the_models_own_schedule():
    _, record = trained("gan", "--lr-warm-up", "2")
    for optimizer_record in record["optimizer"].values():
        assert optimizer_record["learning_rate"]["schedules"][1]["name"] == "linear"


def test_a_wasserstein_game_without_any_bound_gets_a_note(capsys):
    assert train("gan", "--loss", "wasserstein") == 0
    assert "nothing bounds this game's scores" in capsys.readouterr().out


def test_one_example_is_enough_for_pictures_of_a_run(monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are made")
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", lambda name: True)
    np.save("one.npy", sg.data.digits(1, rng=0))
    assert train("vae", "--batch-size", "1", source="one.npy") == 0


def test_a_label_for_a_model_that_joins_none_is_refused_with_what_to_do(capsys):
    assert train("vae") == 0
    capsys.readouterr()
    assert cli.main(["sample", "run", "--label", "3", "-o", "x.npy"]) == 2
    assert "--conditional" in error_of(capsys)


# the scale of the data


def off_scale() -> np.ndarray:
    """x.npy (300, 3): one factor at scales 0.01, 40 and 1, the last of these around 1e9."""
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((300, 1))
    x = np.concatenate([factor, factor, factor], axis=1) + 0.1 * rng.standard_normal((300, 3))
    x = x * [0.01, 40.0, 1.0] + [0.0, 0.0, 1e9]
    np.save("x.npy", x)
    return x


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_data_off_scale_are_named_once_with_the_option_that_mends_it(model, capsys):
    x = off_scale()
    np.save("x.npy", x[:, :2])
    assert train(model, source="x.npy") == 0
    out, err = capsys.readouterr()
    text = " ".join(out.split())
    assert re.search(r"warning: x\.npy is off the scale .* deviation 0\.01\d* in column 0", text)
    assert "add --scale standard" in text
    assert "ScaleWarning" not in err
    assert cli.main(["explain", "run", "--data", "x.npy"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "warning: x.npy is off the scale" in out
    assert "no warnings" not in out
    assert train(model, "--scale", "standard", "--out", "scaled", source="x.npy") == 0
    assert "off the scale" not in capsys.readouterr().out


def test_a_model_trained_with_a_scale_is_in_the_units_of_the_data(capsys):
    x = off_scale()
    model, _ = trained("vae", "--scale", "standard", source="x.npy")
    assert model.scaler == sg.data.Scaler.standard(x)
    assert json.loads(Path("run/config.json").read_text())["scale"] == "standard"
    out = " ".join(capsys.readouterr().out.split())
    nats = -np.log(x.std(axis=0)).sum()
    assert f"in the units of x.npy they are {nats:.4g} nats lower" in out
    assert cli.main(["sample", "run", "-n", "200", "-o", "new.npy"]) == 0
    assert cli.main(["reconstruct", "run", "--data", "x.npy", "-o", "again.npy"]) == 0
    for name in ("new.npy", "again.npy"):
        away = np.abs(np.load(name) - x.mean(axis=0)) / x.std(axis=0)
        assert away.max() < 8
    capsys.readouterr()
    assert cli.main(["info", "run"]) == 0
    assert "standard scaler" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["explain", "run", "--data", "x.npy"]) == 0
    out = capsys.readouterr().out
    assert "x is scaled by a standard scaler" in out
    assert re.search(r"^ +2 +1e\+09 +\d", out, re.MULTILINE)


def test_min_max_lets_vectors_be_scored_by_a_bernoulli_and_made_by_a_sigmoid():
    off_scale()
    likelihood = ("--likelihood", "bernoulli")
    model, _ = trained("vae", "--scale", "min_max", *likelihood, source="x.npy")
    assert (model.scaler.name, model.likelihood.name) == ("min_max", "bernoulli")
    output = ("--output", "sigmoid", "--out", "gan")
    assert train("gan", "--scale", "min_max", *output, source="x.npy") == 0


@pytest.mark.parametrize(
    ("words", "source", "reason"),
    [
        (("--scale", "standard"), "pictures.npz", "is for vectors (N, D)"),
        (("--scale", "standard", "--likelihood", "bernoulli"), "points.npy", "a min_max scaler"),
        (("--scale", "min_max", "--classes", "4"), "classes.npy", "classes are no measurements"),
        (("--scale", "std"), "points.npy", "did you mean 'standard'"),
    ],
)
def test_a_scale_that_makes_no_sense_is_refused(words, source, reason, capsys):
    assert train("vae", *words, source=source) == 2
    assert reason in error_of(capsys)
    assert not Path("run").exists()


def test_a_generator_ends_in_the_output_of_the_option():
    np.save("signed.npy", np.random.default_rng(0).uniform(-1, 1, (60, 4, 4, 1)))
    assert train("gan", source="signed.npy") == 1  # pictures end in a sigmoid by default
    for output, low in (("tanh", -1), ("linear", -np.inf)):
        assert train("gan", "--output", output, "--out", output, source="signed.npy") == 0
        assert (sg.load(f"{output}/model.npz").bounds() or [-np.inf])[0] == low
