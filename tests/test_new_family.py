"""A new family is a class and a recipe: every command works on it, without an edit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.command import entry as cli
from scratchgen.ground.arguments import finite, whole
from scratchgen.ground.parts import Part, Registry, choose, setting
from scratchgen.ground.rng import generator
from scratchgen.models import MODELS, RECIPES, Model, family
from scratchgen.models.stacks import decoder_stack, encoder_stack
from scratchgen.nn import Network
from scratchgen.optim import Adam


class Ruler(Part):
    """How far y is from x."""

    name: ClassVar[str]


@dataclass(frozen=True)
class Scaled(Ruler):
    """The squares, times a scale."""

    scale_by: float = setting(3.0, finite, "what squares are multiplied by", above=True)
    name: ClassVar[str] = "scaled"


@dataclass(frozen=True)
class Cut(Ruler):
    """The same, but for the first columns."""

    columns: int = setting(check=whole, text="number of columns left out", least=1)
    scale_by: float = setting(1.0, finite, "what squares are multiplied by", above=True)
    name: ClassVar[str] = "cut"


@dataclass(frozen=True)
class Plain(Ruler):
    """The squares."""

    name: ClassVar[str] = "plain"


RULERS = Registry(
    "ruler", "test_new_family.RULERS", {kind.name: kind for kind in (Scaled, Cut, Plain)}
)


@family
class Toy(Model):
    """x goes through a bottleneck, and should come out unchanged."""

    kind: ClassVar[str] = "Toy"
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"toy": ("narrow", "wide")}
    reported: ClassVar[tuple[str, ...]] = ("error",)

    narrow: Network
    wide: Network
    pull: float = setting(default=1.0, check=finite, text="weight of the error")
    ruler: Any = setting(default="plain", text="how far y is from x", registry=RULERS)
    mirrored: bool = setting(default=False, text="x should come out with its sign changed")
    rounds: int = setting(
        default=1, check=whole, text="100% of the rounds", least=1, option="turns"
    )

    def fit_together(self):
        self.shape, self.latent = self.narrow.in_shape, self.wide.in_shape[0]
        self.ruler = choose(self.ruler, RULERS, Ruler)

    def minimise(self, turn):
        y = turn.forward("wide", turn.forward("narrow", turn.batch))  # (N, D)
        over = y + turn.batch if self.mirrored else y - turn.batch  # (N, D)
        over[:, : getattr(self.ruler, "columns", 0)] = 0
        weight = self.pull * getattr(self.ruler, "scale_by", 1.0) / turn.size
        if turn.wants_gradient:
            dz = turn.backward("wide", 2 * weight * over)
            turn.backward("narrow", dz, need_dx=False)
        return {"error": weight * (over**2).sum()}

    def optimizers(self, steps, learning_rate=None):
        return {"toy": Adam(1e-2 if learning_rate is None else learning_rate)}

    def remarks(self):
        return ["mirrors are made of glass"] if self.mirrored else []

    def decode(self, z, labels=None):
        return self.in_units(self.apply("wide", self.check_latents(z)))

    def sample(self, n, rng=None, labels=None):
        return self._decode_draws(n, generator(rng), labels)


def toy(
    shape,
    *,
    latent=1,
    hidden=(4,),
    pull=1.0,
    ruler="plain",
    mirrored=False,
    rounds=1,
    rng=None,
    scaler=None,
):
    """A toy of dense networks."""
    narrow = encoder_stack(shape, hidden, latent, "mse")
    wide = decoder_stack(shape, hidden, latent, "mse")
    settings = {"pull": pull, "ruler": ruler, "mirrored": mirrored, "rounds": rounds}
    return Toy(narrow, wide, **settings, rng=rng, scaler=scaler)


def pulling_toy(shape, *, pull=7.0, ruler="scaled", **settings):
    """A toy with a fixed kind of ruler."""
    return toy(shape, pull=pull, ruler=ruler, **settings)


WORDS = ["--data", "points.npy", "--out", "run", "--epochs", "2", "--seed", "1"]


@pytest.fixture(autouse=True)
def registered(tmp_path, monkeypatch, points):
    """Both recipes are registered for one test, in an empty folder with points."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", lambda name: False)
    monkeypatch.setattr(Toy, "recipes", {})
    Toy.named("a toy", vectors={"batch_size": 50, "latent": 2})(toy)
    kind = {"ruler": Scaled(0.5)}
    Toy.named("a toy that pulls", "toy", fixed=("ruler",), vectors=kind)(pulling_toy)
    for name, recipe in Toy.recipes.items():
        monkeypatch.setitem(RECIPES, name, recipe)
    monkeypatch.setitem(MODELS, "Toy", Toy)
    np.save("points.npy", points[:200])


def run(*words: str) -> int:
    try:
        return cli.main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


def trained(recipe: str, *words: str) -> Any:
    assert run("train", recipe, *WORDS, *words) == 0
    return sg.load("run/model.npz")


def shown(capsys, *words: str) -> str:
    capsys.readouterr()
    assert run(*words) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    return " ".join(out.split())


def test_help_lists_it_and_what_can_be_set(capsys):
    assert "toy a toy pulling_toy a toy that pulls" in shown(capsys, "train", "--help")
    text = shown(capsys, "train", "toy", "--help")
    for words in (
        "--pull X weight of the error (default: 1)",
        "--ruler NAME how far y is from x: scaled, cut, plain (default: plain)",
        "--scale-by X for the ruler scaled or cut: what squares are multiplied by (default: 3 for "
        "scaled, 1 for cut)",
        "--columns N for the ruler cut: number of columns left out",
        "--mirrored, --no-mirrored x should come out with its sign changed (default: no)",
        "--turns N 100% of the rounds (default: 1)",
        "--latent N size of z (default: 1 for pictures, 2 for vectors)",
        "--hidden N,N widths of the hidden layers (default: 4)",
        "examples per step (default: 128 for pictures, 50 for vectors)",
    ):
        assert words in text
    for word in ("--conditional", "--beta", "--output", "--rounds"):
        assert word not in text


def test_it_is_trained_saved_loaded_sampled_and_explained(capsys):
    words = ["--pull", "2", "--ruler", "cut", "--columns", "1", "--mirrored", "--turns", "3"]
    model = trained("toy", *words, "--scale", "standard")
    assert "note: mirrors are made of glass" in capsys.readouterr().out
    assert (model.kind, model.pull, model.rounds, model.mirrored) == ("Toy", 2.0, 3, True)
    assert (model.ruler, model.latent) == (Cut(columns=1), 2)
    assert model.training_log[0]["batch_size"] == 50
    config = json.loads(Path("run/config.json").read_text())
    assert config["ruler"] == {"name": "cut", "columns": 1, "scale_by": 1.0}
    assert (config["model"], config["pull"], config["rounds"]) == ("toy", 2.0, 3)
    assert run("sample", "run", "-n", "5", "-o", "some.npy") == 0
    assert np.load("some.npy").shape == (5, 2)
    assert "Toy of (2,): latent 2, pull 2, ruler Cut(columns=1" in shown(capsys, "info", "run")
    text = shown(capsys, "explain", "run", "--data", "points.npy")
    assert "toy minimises" in text
    assert "toy's turn: error" in text
    assert run("reconstruct", "run", "--data", "points.npy", "-o", "again.npy") == 2
    assert "which has no encoder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "words", "ruler"),
    [
        ("toy", (), Plain()),
        ("toy", ("--no-mirrored", "--ruler", "scaled"), Scaled()),
        ("toy", ("--columns", "2", "--scale-by", "4"), Cut(2, 4.0)),
        ("pulling_toy", (), Scaled(0.5)),
        ("pulling_toy", ("--scale-by", "4"), Scaled(4.0)),
    ],
)
def test_a_part_is_the_one_named_or_the_only_one_with_such_a_setting(recipe, words, ruler):
    model = trained(recipe, *words)
    assert (model.ruler, model.pull) == (ruler, 7.0 if recipe == "pulling_toy" else 1.0)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            "toy --scale-by 2",
            "--scale-by 2 is a setting of a ruler: name it with --ruler scaled or cut",
        ),
        (
            "toy --ruler plain --scale-by 2",
            "is a setting of --ruler scaled or cut, not of plain: leave out one",
        ),
        (
            "toy --ruler scaled --columns 1",
            "--columns is a setting of --ruler cut, not of scaled: leave out one",
        ),
        ("toy --ruler cut", "--ruler cut wants the number of columns left out: add --columns N"),
        ("toy --columns 0", "--columns: 0: wants a whole number of at least 1"),
        ("toy --ruler skaled", "did you mean 'scaled'"),
        ("pulling_toy --ruler plain", "no option --ruler"),
        ("pulling_toy --columns 1", "no option --columns"),
        ("toy --conditional", "no option --conditional"),
    ],
)
def test_a_setting_that_does_not_fit_is_a_wrong_call(words, error, capsys):
    assert run("train", *words.split(), *WORDS) == 2
    assert error in " ".join(capsys.readouterr().err.split())
    assert not Path("run").exists()
