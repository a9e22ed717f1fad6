"""The command line, as a careful, a careless and a hostile user would call it."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from command_line import run
from own_modules import importable

import scratchgen as sg
from scratchgen import nn
from scratchgen.command.reading_data import read_data_for
from scratchgen.ground.versions import is_installed
from scratchgen.train.trainer import Trainer

needs_plots = pytest.mark.skipif(
    not is_installed("matplotlib"), reason="matplotlib is not installed: no pictures are made"
)

QUICK = {"SCRATCHGEN_JIT": "0"}  # a process that starts without compiling
TINY = ["--epochs", "2", "--hidden", "8", "--latent", "2"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, few_digits):
    """And training without pictures, which cost time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", lambda name: False)
    return tmp_path


@pytest.fixture
def with_pictures(monkeypatch, in_an_empty_folder, coarse):
    """Training ends in its pictures, as it does for users."""
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", is_installed)


@pytest.fixture
def data(tmp_path, pictures_with_labels, points):
    """A small .npz of pictures with labels, and one of points."""
    x, labels = pictures_with_labels
    np.savez(tmp_path / "pictures.npz", x=x, labels=labels)
    np.save(tmp_path / "points.npy", points[:200])
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).standard_normal((60, 5)))
    return tmp_path


def error_of(capsys) -> str:
    """The text on stderr, which has one to three lines and no traceback."""
    text = capsys.readouterr().err
    lines = text.splitlines()
    assert 1 <= len(lines) <= 3, text
    assert text.startswith("scratchgen: ")
    assert "Traceback" not in text
    assert max(map(len, lines)) <= 79
    return " ".join(text.split())


PICTURES = {"losses.png", "samples.png"}
FILES = {"model.npz", "config.json", "log.csv"}


@needs_plots
@pytest.mark.usefixtures("with_pictures")
@pytest.mark.parametrize(
    ("model", "source", "more"),
    [
        ("vae", "pictures.npz", {"reconstructions.png", "latent.png"}),
        ("vae", "points.npy", {"reconstructions.png", "latent.png", "density.png"}),
        ("vae", "wide.npy", {"latent.png"}),
        ("gan", "pictures.npz", set()),
        ("gan", "points.npy", {"density.png"}),
        ("gan", "wide.npy", set()),
    ],
)
def test_train_writes_a_run_folder_and_says_what_to_do_next(data, capsys, model, source, more):
    assert run("train", model, "--data", source, "--seed", "1", *TINY) == 0
    folder = data / "runs" / f"{model}-1"
    assert {path.name for path in folder.iterdir()} == FILES | PICTURES | more
    out = capsys.readouterr().out
    assert f"scratchgen sample runs/{model}-1 -n 64 -o samples.png" in out
    assert ("reconstruct" in out) == (model == "vae")
    assert max(map(len, out.splitlines())) <= 79
    rows = list(csv.reader((folder / "log.csv").read_text().splitlines()))
    assert [row[0] for row in rows] == ["epoch", "1", "2"]
    config = json.loads((folder / "config.json").read_text())
    assert config["data"] == source
    assert config["seed"] == 1
    assert str(data) not in (folder / "config.json").read_text()
    assert str(data).encode() not in (folder / "model.npz").read_bytes()


def test_training_twice_with_one_seed_gives_the_same_bytes(data):
    for _ in range(2):
        assert run("train", "gan", "--data", "points.npy", "--seed", "3", *TINY) == 0
    for name in ("model.npz", "config.json", "log.csv"):
        first, second = ((data / "runs" / f"gan-{k}" / name).read_bytes() for k in (1, 2))
        assert first == second
    assert run("train", "gan", "--data", "points.npy", "--seed", "4", *TINY) == 0
    assert (data / "runs/gan-3/model.npz").read_bytes() != first


def test_the_model_of_a_run_is_the_one_that_python_would_have_trained(data):
    run("train", "vae", "--data", "points.npy", "--seed", "5", "--out", "here", *TINY)
    from scratchgen.ground.rng import stream

    x = sg.data.load("points.npy")
    model = sg.models.vae((2,), latent=2, hidden=(8,), rng=stream(5, "weights"))
    sg.fit(model, x, epochs=2, seed=5, batch_size=128)
    same = sg.load("here/model.npz")
    assert np.array_equal(same.sample(9, rng=0), model.sample(9, rng=0))


def test_options_reach_the_model_and_its_training(data):
    words = "--beta 2 --lr 0.01 --batch-size 50 --likelihood gaussian --hidden 8,4 --seed 0"
    run("train", "vae", "--data", "points.npy", "--out", "a", *TINY[:2], *words.split())
    model = sg.load("a/model.npz")
    assert (model.beta, model.likelihood.name, len(model.networks["encoder"].layers)) == (
        2,
        "gaussian",
        5,
    )
    log = model.training_log[0]
    assert (log["epochs"], log["batch_size"], log["data"]) == (2, 50, "points.npy")
    assert log["optimizer"]["vae"]["learning_rate"] == 0.01
    words = "--loss minimax --discriminator-steps 2"
    run("train", "gan", "--data", "points.npy", "--out", "b", *TINY, *words.split())
    gan = sg.load("b/model.npz")
    assert (gan.loss.name, gan.discriminator_steps, gan.latent) == ("minimax", 2, 2)


def test_without_replay_each_step_runs_as_it_is_written_and_gives_the_same(data, monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_REPLAY", "1")  # which the option goes before
    steps, step = [], Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *args: steps.append(1) or step(*args))
    words = ["--data", "points.npy", "--epochs", "4", "--seed", "3", *TINY[2:]]
    counts = []
    for more in ([], ["--no-replay"]):
        assert run("train", "vae", *words, *more) == 0
        counts.append(len(steps))
        steps.clear()
    assert counts == [3, 8]
    for name in ("model.npz", "config.json", "log.csv"):
        first, second = ((data / "runs" / f"vae-{k}" / name).read_bytes() for k in (1, 2))
        assert first == second


def test_a_file_of_any_name_and_the_largest_seed_can_be_recorded_and_read_again(data):
    (data / "points.npy").rename(data / "odd \n\x1b name ü.npy")
    words = ["--data", "odd \n\x1b name ü.npy", "--seed", str(2**63 - 1), "--out", "run"]
    assert run("train", "gan", *words, *TINY) == 0
    log = sg.load("run/model.npz").training_log[0]
    assert (log["data"], log["seed"]) == ("odd ?? name ü.npy", 2**63 - 1)
    assert run("info", "run") == 0


def test_modes_with_samples_are_counted_if_the_modes_are_known(capsys):
    assert run("train", "gan", "--data", "ring", "--epochs", "0", "--out", "r") == 0
    assert "of 8 modes have samples" in capsys.readouterr().out


@needs_plots
@pytest.mark.usefixtures("coarse")
def test_sample_and_reconstruct_make_pictures_and_arrays(data, capsys):
    run("train", "vae", "--data", "pictures.npz", "--out", "run", *TINY)
    assert run("sample", "run", "-n", "4", "-o", "s.png") == 0
    assert run("sample", "run/model.npz", "-n", "4", "-o", "s.npy", "--seed", "1", "--noise") == 0
    assert set(np.unique(np.load("s.npy"))) == {0, 1}
    assert np.load("s.npy").shape == (4, 28, 28, 1)
    assert run("reconstruct", "run", "--data", "pictures.npz", "-o", "p.png") == 0
    assert run("reconstruct", "run", "--data", "pictures.npz", "-n", "3", "-o", "p.npy") == 0
    assert np.load("p.npy").shape == (3, 28, 28, 1)
    assert (data / "s.png").stat().st_size > 1000
    assert (data / "p.png").stat().st_size > 1000


def test_one_seed_samples_the_same(data):
    run("train", "gan", "--data", "points.npy", "--out", "run", *TINY)
    for name in ("a", "b"):
        run("sample", "run", "--seed", "7", "-o", f"{name}.npy")
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))


def test_info_says_what_a_model_is_and_how_it_was_trained(data, capsys):
    run("train", "gan", "--data", "points.npy", "--seed", "9", "--out", "run", *TINY)
    capsys.readouterr()
    assert run("info", "run") == 0
    out = capsys.readouterr().out
    for words in ("GAN of (2,)", "latent 2", "Dense(2 -> 8)", "200 examples of points.npy, seed 9"):
        assert words in out
    assert "2 epochs" in out
    assert max(map(len, out.splitlines())) <= 79
    sg.save(sg.models.vae((2,), rng=0), "new.npz")
    assert run("info", "new.npz") == 0
    assert "not trained yet" in capsys.readouterr().out


def test_info_shows_any_record_of_training_shortened_and_without_control_characters(capsys):
    model = sg.models.gan((2,), latent=2, hidden=(4,), rng=0)
    sg.fit(model, np.eye(2), epochs=1, seed=0)
    fitted = model.training_log[0]
    model.training_log += [
        {**fitted, "data": "\x1b[2J\n" + "a" * 4_000_000, "average": None},
        {**fitted, "losses": {"\x1b]0;title\x07": 1e300}, "optimizer": {"g": {"name": "\x1b"}}},
        {"note": "by hand\r", "part": {"name": None, "list": [1, "\x1b"]}},
    ]
    sg.save(model, "odd.npz")
    assert run("info", "odd.npz") == 0
    out = capsys.readouterr().out
    assert all(line.isprintable() and len(line) <= 79 for line in out.splitlines())
    assert len(out) < 4_000
    assert "record of training: note by hand\\r, part (None, list [1, " in out


def test_info_shows_the_optimizers_of_this_version_and_of_the_first(capsys):
    from scratchgen.optim import Adam, Chain, ClipNorm, Constant, Cosine, RMSProp, WarmUp

    model = sg.models.gan((2,), latent=2, hidden=(4,), rng=0)
    rate = Chain(WarmUp(0.002, 500), Constant(0.002, 300), Cosine(0.002, 4200, least=1e-5))
    optimizers = {"generator": ClipNorm(Adam(rate)), "discriminator": RMSProp(Constant(0.1))}
    sg.fit(model, np.eye(2), epochs=1, seed=0, optimizer=optimizers)
    first = {  # as 0.1.0 wrote it
        "name": "Adam",
        "learning_rate": {
            "name": "Chain",
            "schedules.0": {"name": "WarmUp", "rate": 0.1, "steps": 5},
            "schedules.1": {"name": "Constant", "rate": 0.1},
        },
        "b1": 0.9,
    }
    model.training_log.append({**model.training_log[0], "optimizer": {"vae": first}})
    sg.save(model, "run.npz")
    assert run("info", "run.npz") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 79
    text = " ".join(out.split())
    assert (
        "generator by clip_norm, optimizer (adam, learning_rate (chain, schedules "
        "(warm_up, rate 0.002, steps 500) and (constant, rate 0.002, steps 300) and "
        "(cosine, rate 0.002, steps 4200, least 1e-05)), b1 0.9, b2 0.999, eps 1e-08), norm 1"
    ) in text
    assert "discriminator by rmsprop, learning_rate (constant, rate 0.1), keep 0.99" in text
    assert "centred False" in text
    assert (
        "vae by Adam, learning_rate (Chain, schedules.0 (WarmUp, rate 0.1, steps 5), "
        "schedules.1 (Constant, rate 0.1)), b1 0.9"
    ) in text


LAYERS_OF_MINE = """
from dataclasses import dataclass
import numpy as np
from scratchgen.nn import LAYERS, Layer

@dataclass(frozen=True, eq=False)
class Scale(Layer):
    a: float = 2.0

    def forward(self, p, x, tape):
        return self.a * x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self.a * dy

LAYERS["Scale"] = Scale
"""
OF_A_MODEL = (
    "info own.npz",
    "sample own.npz -o s.npy",
    "reconstruct own.npz --data points.npy -o r.npy",
    "explain own.npz",
)


def test_a_model_with_a_layer_of_the_users_names_the_missing_module_and_loads_with_it(
    data, capsys, monkeypatch
):
    (data / "layers_of_mine.py").write_text(LAYERS_OF_MINE)
    monkeypatch.setitem(nn.LAYERS, "Scale", None)  # so that it is gone after the test
    with importable(data):
        from layers_of_mine import Scale

        encoder = nn.Network((2,), Scale(), nn.Dense(2, 4))
        vae = sg.models.VAE(encoder, nn.Network((2,), nn.Dense(2, 2)), "mse", rng=0)
        sg.save(vae, "own.npz")
    monkeypatch.delitem(nn.LAYERS, "Scale")
    for words in OF_A_MODEL:
        assert run(*words.split()) == 1
        assert "'Scale': before loading, import layers_of_mine, " in error_of(capsys)
    with importable(data):
        for words in OF_A_MODEL:
            assert run(*words.split(), "--import", "layers_of_mine") == 0
    assert "Scale(2.0)" in capsys.readouterr().out
    for word, text in (
        ("layers_of_mine.py", "is a file: wants its module, layers_of_mine"),
        ("nowhere.to.be.found", "there is no module nowhere.to.be.found"),
    ):
        assert run("info", "own.npz", "--import", word) == 2
        assert text in error_of(capsys)


@needs_plots
@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("name", ["digits", "grid", "pictures.npz", "wide.npy"])
def test_data_shows_what_a_data_set_holds(data, name, capsys):
    assert run("data", name, "-n", "30", "-o", "look.png") == 0
    assert (data / "look.png").stat().st_size > 1000
    assert name in capsys.readouterr().out


def test_help_of_every_command_fits_eighty_columns(capsys):
    for words in ([], ["train"], ["train", "vae"], ["train", "gan"], ["sample"], ["data"]):
        assert run(*words, "--help") == 0
        out = capsys.readouterr().out
        assert "usage: scratchgen" in out
        assert max(map(len, out.splitlines())) <= 80


def test_version_is_printed(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"scratchgen {sg.__version__}\n"


WRONG_WORDS = [
    ([], "required: COMMAND"),
    (["trian"], "unknown COMMAND 'trian', wants one of 'train', 'sample'"),
    (["train", "vea"], "did you mean 'vae'"),
    (["train", "vae", "--epochs", "-1"], "--epochs: -1: wants a whole number of at least 0"),
    (["train", "vae", "--epochs", "many"], "'many': wants a whole number"),
    (["train", "vae", "--latent", "9" * 30], "at most 1,000,000,000"),
    (["train", "vae", "--seed", "x" * 5000], "argument --seed: 'xxx"),
    (["train", "vae", "--epoch", "3"], "has no option --epoch; did you mean '--epochs'?"),
    (["train", "vae", "--out", ""], "the name is empty"),
    (["info", "run", "more"], "one word too many: 'more'"),
    (["train", "vae", "--batch-size", "0"], "at least 1"),
    (["train", "vae", "--lr", "0"], "wants a number above 0"),
    (["train", "vae", "--lr", "nan"], "nan: wants a number above 0"),
    (["train", "vae", "--latent", "0"], "at least 1"),
    (["train", "vae", "--hidden", "8,x"], "wants widths"),
    (["train", "vae", "--hidden", "0"], "wants widths"),
    (["train", "vae", "--seed", "-1"], "at least 0"),
    (["train", "vae", "--seed", str(2**63)], "at most 9,223,372,036,854,775,807"),
    (["train", "vae", "--loss", "minimax"], "scratchgen train vae has no option --loss"),
    (["train", "gan", "--beta", "1"], "scratchgen train gan has no option --beta"),
    (["train", "gan", "--loss", "minmax"], "unknown --loss 'minmax', wants one of 'minimax'"),
    (["sample"], "required: RUN"),
    (["sample", "x", "-n", "0"], "at least 1"),
]


@pytest.mark.parametrize(("words", "text"), WRONG_WORDS)
def test_a_wrong_call_is_explained_in_a_few_lines_with_exit_code_2(words, text, capsys, tmp_path):
    assert run(*words) == 2
    assert text in error_of(capsys)
    assert not (tmp_path / "runs").exists()


WRONG_THINGS = [
    ("train vae --data digit", "did you mean 'digits'"),
    ("train vae --data nowhere/x.npy", "no data called"),
    ("train vae --data text.npy", "wants real numbers"),
    ("train vae --data nan.npy", "NaN or infinity in 1 of 5 examples"),
    ("train vae --data loud.npy", "loud.npy goes from 99 to 99"),
    ("train vae --data points.npy --batch-size 500", "above the 200 examples"),
    ("train vae --data points.npy --out full", "holds a run already"),
    ("train vae --data points.npy --out points.npy", "cannot be made"),
    ("train vae --data points.npy --likelihood bernoulli", "wants values in [0, 1]"),
    ("sample nowhere", "there is no file"),
    ("sample ~nobody-of-that-name/x", "there is no file"),
    ("data ~nobody-of-that-name/x", "no data called"),
    ("sample .", "holds no model.npz"),
    ("sample points.npy", "no model file"),
    ("sample full -o nowhere/x.png", "there is no folder"),
    ("sample full -o x.jpeg", "wants a name that ends in"),
    ("sample full -o x", "wants a name that ends in"),
    ("sample full --noise", "leave it out"),
    ("reconstruct full", "no encoder"),
    ("reconstruct vae.npz", "name its data with --data"),
    ("reconstruct vae.npz --data pictures.npz", "wants (N, 2)"),
    ("info text.npy", "no model file"),
    ("data nowhere", "no data called"),
    (f"data {'x' * 5000}", "no data called"),
    pytest.param(
        "reconstruct wide.npz --data wide.npy",
        "write them as an array, with -o pairs.npy",
        marks=needs_plots,
    ),
    ("train gan --data points.npy --hidden 9999999999", "make their layers smaller"),
]


# an option's value that does not go with the data or the model: a wrong call, exit code 2
USAGE = {
    "train vae --data points.npy --batch-size 500",
    "sample full -o x.jpeg",
    "sample full -o x",
    "sample full --noise",
    "reconstruct full",
    "reconstruct vae.npz",
    "train gan --data points.npy --hidden 9999999999",
}


@pytest.mark.parametrize(("words", "text"), WRONG_THINGS)
def test_wrong_data_and_files_are_explained_in_a_few_lines(words, text, capsys, data):
    (data / "full").mkdir()
    sg.save(sg.models.gan((2,), latent=2, hidden=(4,), rng=0), "full/model.npz")
    sg.save(sg.models.vae((2,), latent=2, hidden=(4,), rng=0), "vae.npz")
    sg.save(sg.models.vae((5,), latent=2, hidden=(4,), rng=0), "wide.npz")
    np.save("text.npy", np.array(["a", "b"]))
    bad = np.zeros((5, 2))
    bad[3] = np.nan
    np.save("nan.npy", bad)
    np.save("loud.npy", np.full((5, 4, 4, 1), 99.0))
    before = sorted(data.rglob("*"))
    assert run(*words.split()) == (2 if words in USAGE else 1)
    assert text in error_of(capsys)
    assert sorted(data.rglob("*")) == before  # nothing half-made is left


def test_a_diverged_run_saves_its_last_good_weights_and_says_when_it_went_wrong(data, capsys):
    words = "train vae --data points.npy --lr 1e30 --out run --seed 0"
    assert run(*words.split(), *TINY) == 1
    captured = capsys.readouterr()
    assert "in epoch 1, step" in captured.err
    assert "lower learning rate" in captured.err
    assert "Traceback" not in captured.err
    assert np.isfinite(sg.load("run/model.npz").sample(3, rng=0)).all()


def test_ctrl_c_while_pictures_are_drawn_keeps_the_model(data, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("scratchgen.command.training_report._draw", interrupt)
    assert run("train", "gan", "--data", "points.npy", "--out", "run", *TINY) == 130
    assert "interrupted while drawing; the model is saved" in capsys.readouterr().out
    assert sg.load("run/model.npz").sample(2, rng=0).shape == (2, 2)


def test_a_full_disk_is_named_without_a_traceback(data, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "run/log.csv")

    monkeypatch.setattr("scratchgen.command.epoch_log.Log.on_epoch", full)
    assert run("train", "gan", "--data", "points.npy", "--out", "run", *TINY) == 1
    assert "run/log.csv: No space left on device" in error_of(capsys)


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_pipe_on_stdout_does_not_stop_training(data, closed):
    words = [sys.executable, "-m", "scratchgen", "train", "gan", "--data", "wide.npy"]
    where = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    where["stdout" if closed == "1" else "stderr"] = subprocess.PIPE
    process = subprocess.Popen(
        [*words, "--epochs", "3", "--out", "run"], env={**os.environ, **QUICK}, **where
    )
    (process.stdout or process.stderr).close()
    process.wait()
    assert sg.load("run/model.npz").training_log[0]["epochs"] == 3


def test_the_suggested_reconstruct_command_works_for_the_users_data(data, capsys):
    for source in ("pictures.npz", "wide.npy", "points.npy"):
        out = f"run-{source[:4]}"
        assert run("train", "vae", "--data", source, "--out", out, *TINY) == 0
        line = next(x for x in capsys.readouterr().out.splitlines() if "reconstruct run" in x)
        if ".npy -o pairs.npy" in line or is_installed("matplotlib"):
            assert run(*line.split()[1:]) == 0


def test_categories_are_trained_on_as_they_are_stored(data, capsys):
    """All commands read them so: divided by 255 they would be no categories."""
    np.save("classes.npy", np.arange(54, dtype=np.uint8).reshape(6, 3, 3))
    words = "--likelihood categorical --classes 54 --out a --seed 0"
    assert run("train", "vae", "--data", "classes.npy", *words.split(), *TINY) == 0
    assert run("explain", "a", "--data", "classes.npy") == 0
    assert run("reconstruct", "a", "--data", "classes.npy", "-o", "again.npy") == 0
    assert set(np.load("again.npy").ravel()) <= set(range(54))


def test_later_commands_divide_data_as_the_run_did(data, capsys):
    np.save("loud.npy", np.full((6, 3, 3), 1000))
    assert run("train", "vae", "--data", "loud.npy", *TINY) == 1
    assert "divide by the largest possible number" in error_of(capsys)
    words = ["--divide-by", "1000", "--out", "a", "--seed", "0"]
    assert run("train", "vae", "--data", "loud.npy", *words, *TINY) == 0
    assert json.loads((data / "a/config.json").read_text())["divide_by"] == 1000
    assert run("explain", "a", "--data", "loud.npy") == 0
    assert run("reconstruct", "a", "--data", "loud.npy", "-o", "again.npy") == 0
    model = sg.load("a/model.npz")
    assert read_data_for(model, "loud.npy")[0].max() == 1
    assert read_data_for(model, "digits")[0].max() == 1  # which is on a scale of its own


def test_names_of_classes_condition_a_model_and_measured_numbers_do_not(data, capsys):
    x = np.zeros((6, 2))
    np.savez("named.npz", x=x, y=np.array(["cat", "ant", "cat", "bee", "ant", "cat"]))
    np.savez("measured.npz", x=x, y=np.linspace(0, 1, 6))
    words = ["--out", "a", "--seed", "0", *TINY]
    assert run("train", "gan", "--data", "named.npz", "--conditional", *words) == 0
    assert sg.load("a/model.npz").n_labels == 3
    capsys.readouterr()
    assert run("train", "gan", "--data", "measured.npz", "--conditional", *words) == 2
    said = capsys.readouterr().err
    assert "numbers that are not whole" in said
    assert "--conditional needs labels" in said
    assert run("train", "gan", "--data", "measured.npz", "--out", "b", *TINY) == 0
    assert "scratchgen: no labels: y of measured.npz" in capsys.readouterr().err


def test_the_advice_of_an_error_is_shown_however_long_a_path_is(data, capsys):
    path = data / ("x" * 200 + ".npy")
    np.save(path, np.zeros((5, 3, 8, 8)))
    assert run("train", "vae", "--data", str(path)) == 1
    assert error_of(capsys).endswith("np.moveaxis(x, 1, -1)")


def test_python_dash_m_is_the_same_command():
    words = [sys.executable, "-m", "scratchgen", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"scratchgen {sg.__version__}\n"


def test_without_matplotlib_training_works_and_pictures_name_the_package(data, capsys, monkeypatch):
    installed = {"matplotlib": False}
    monkeypatch.setattr(
        "scratchgen.ground.versions.is_installed",
        lambda name: installed.get(name, is_installed(name)),
    )
    assert run("train", "gan", "--data", "points.npy", "--out", "run", *TINY) == 0
    assert "pip install matplotlib" in capsys.readouterr().out
    assert {path.name for path in (data / "run").iterdir()} == FILES
    assert run("sample", "run", "-o", "x.npy") == 0
    capsys.readouterr()
    assert run("sample", "run", "-o", "x.png") == 1
    assert "pip install matplotlib" in error_of(capsys)
