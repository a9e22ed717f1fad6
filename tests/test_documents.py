"""What the documents show is what happens when it is run."""

import contextlib
import doctest
import functools
import importlib
import io
import json
import linecache
import os
import re
import runpy
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.formulas import by_formulas

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NEEDS = {"plots": "matplotlib", "native": "numba"}  # room -> package
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "scratchgen").rglob("*.py"))
    if path.name != "__main__.py" and is_installed(NEEDS.get(path.parent.name, "numpy"))
]
MEASURED = re.compile(r"\d(?:\.\d+)?e-\d+|[\d,.]+ (?:forward|backward|m?s)\b")


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a document: (language, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_examples_in_docstrings_print_what_they_say():
    failed = {name: doctest.testmod(importlib.import_module(name)).failed for name in MODULES}
    assert {name: n for name, n in failed.items() if n} == {}


# a page whose listings are run in one session -> how many listings print something
SESSIONS = {
    "README.md": 1,
    "docs/tour.md": 4,
    "docs/derivations.md": 12,
    "docs/own-layer.md": 1,
    "docs/own-activation.md": 0,
    "docs/own-likelihood.md": 2,
    "docs/own-game.md": 1,
    "docs/own-data.md": 1,
    "docs/own-loop.md": 2,
    "docs/own-model.md": 1,
}
REGISTRIES = (
    sg.nn.LAYERS,
    sg.distributions.LIKELIHOODS,
    sg.losses.LOSSES,
    sg.losses.PENALTIES,
    sg.models.MODELS,
)


@contextlib.contextmanager
def registries_restored():
    """Within it, listings may add to registries; at the end the registries are as before."""
    before = [dict(registry) for registry in REGISTRIES]
    try:
        yield
    finally:
        for registry, entries in zip(REGISTRIES, before, strict=True):
            registry.clear()
            registry.update(entries)


@functools.cache
def session(page: str) -> tuple[dict, list[str]]:
    """The names that a page's listings define, run in order, and what each listing printed."""
    names, printed = {}, []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), registries_restored():
        for language, content in blocks((ROOT / page).read_text()):
            if language == "python":
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile(content, page, "exec"), names)
                printed.append(out.getvalue())
    return names, printed


@pytest.mark.parametrize("page", SESSIONS)
def test_listings_print_what_their_page_shows(page):
    """Words must be equal, and numbers to 3 %, because other CPUs round differently.

    Error bars, times and counts of calls are measured, and may have any value.
    """
    text = (ROOT / page).read_text()
    shown = re.findall(r"^```python\n(?:(?!^```).)*?^```\n\n```\n(.*?)^```$", text, re.M | re.S)
    printed = [text for text in session(page)[1] if text]
    assert len(shown) == len(printed) == SESSIONS[page]
    number = re.compile(r"\d+\.\d+|\d+")
    for a, b in zip(shown, printed, strict=True):
        a, b = (MEASURED.sub("#", text) for text in (a, b))
        assert number.sub("#", a).split() == number.sub("#", b).split()
        np.testing.assert_allclose(
            [float(n) for n in number.findall(a)], [float(n) for n in number.findall(b)], rtol=0.03
        )


def test_the_vae_trained_by_hand_equals_the_vae_trained_by_fit():
    names, _ = session("README.md")
    assert "sg.fit(model, x, epochs=2, seed=0)" in README
    model = sg.models.vae((28, 28, 1), latent=20, hidden=(128,), rng=0)
    sg.fit(model, names["x"], epochs=2, seed=0)
    assert np.array_equal(model.vector, names["model"].vector)  # after 158 steps


def lines_that_run(train) -> set[str]:
    """The lines of the package's source that are executed while `train` runs."""
    seen: set[tuple[str, int]] = set()
    package = str(ROOT / "scratchgen")

    def tracer(frame, event, _):
        file = frame.f_code.co_filename
        if event == "call" and not file.startswith(package):
            return None
        seen.add((file, frame.f_lineno))
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        train()
    finally:
        sys.settrace(before)
    return {linecache.getline(file, number).strip() for file, number in seen}


def test_training_runs_the_lines_that_the_page_on_two_models_quotes(points):
    page = (ROOT / "docs" / "two-models.md").read_text()
    quoted = re.findall(r"^\| [^`]+(?:`far`[^`]+)? \| `(.+)` \|$", page, re.MULTILINE)
    assert len(quoted) == 9
    models = [sg.models.vae((2,), hidden=(4,), latent=2, likelihood="bernoulli", rng=0)]
    models += [
        sg.models.gan((2,), hidden=(4,), latent=2, loss=loss, rng=0)
        for loss in ("minimax", "non_saturating")
    ]

    def train():
        with by_formulas():  # because loops would run instead of these lines
            for model in models:
                x = (points[:32] > 0).astype(np.float32)
                sg.fit(model, x, epochs=1, batch_size=16, seed=0, replay=False)

    executed = lines_that_run(train)
    for line in quoted:
        assert any(line in code for code in executed), line


def test_ci_runs_the_test_command_of_the_readme():
    command = next(c.strip() for _, c in blocks(README) if c.strip().endswith("/pytest"))
    assert command in (ROOT / ".ci" / "run").read_text()


def test_every_command_in_a_document_is_a_valid_command():
    from scratchgen.command.parser import build_parser

    text = "\n".join(path.read_text() for path in DOCUMENTS)
    lines = re.findall(
        r"^\s*scratchgen ((?:train|sample|reconstruct|info|explain|data|check)\b.*)$", text, re.M
    )
    assert len(lines) >= 11
    for line in lines:
        build_parser().parse_args(shlex.split(line.split("#")[0]))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_existing_files(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_score_network_learns_the_slope_of_the_density():
    names, _ = session("docs/own-model.md")
    model, error = names["model"], names["history"]["error"]
    assert error[-1] < error[0]
    assert str(model) == "ScoreNetwork of (2,): latent 0, std 0.3"
    slope = model.apply("network", np.float32([[0, 9], [0, -9], [9, 0], [-9, 0]]))
    assert (slope[[0, 1, 2, 3], [1, 1, 0, 0]] * [1, -1, 1, -1] < 0).all()  # towards the ring


def test_the_pages_on_own_parts_each_train_a_model():
    for page, model in (
        ("docs/own-layer.md", "gan"),
        ("docs/own-activation.md", "vae"),
        ("docs/own-likelihood.md", "model"),
        ("docs/own-game.md", "wgan"),
    ):
        trained = session(page)[0][model]
        assert np.isfinite(trained.vector).all(), page
        assert trained.steps_trained > 0, page


def test_the_loop_over_two_players_moves_every_array_of_both():
    trained = session("docs/own-loop.md")[0]["gan"]
    untrained = sg.models.gan((2,), latent=2, hidden=(32,), rng=0)
    assert np.isfinite(trained.vector).all()
    arrays = zip(trained.block.arrays(), untrained.block.arrays(), strict=True)
    assert all((array != first).any() for (_, array), (_, first) in arrays)


def test_the_listings_on_performance_print_what_the_page_shows(capsys):
    names: dict = {}
    shown = []
    for language, content in blocks((ROOT / "docs" / "performance.md").read_text()):
        if language == "python":
            exec(compile(content, "performance.md", "exec"), names)
        else:
            shown.append(content)
    assert len(shown) == 2
    assert capsys.readouterr().out == "".join(shown)


def test_the_scaled_model_of_own_data_returns_the_units_of_the_data():
    names, _ = session("docs/own-data.md")
    model, x = names["scaled"], names["table"]
    assert model.sample(3, rng=0).shape == (3, 2)
    distance = (model.sample(200, rng=0, noise=True) - x.mean(axis=0)) / x.std(axis=0)
    assert np.abs(distance.mean(axis=0)).max() < 0.5
    assert model.elbo(x, rng=0).shape == (500,)


def test_the_picture_of_blocking_shows_the_sizes_that_kernels_use():
    drawn = runpy.run_path(str(ROOT / "demos" / "blocking.py"))
    assert drawn["DEPTH"] == 256  # with a first cache of 48 KB
    if is_installed("numba"):
        from scratchgen.kernels.native import tiles

        assert drawn["WIDTH"] == tiles.WIDTH
        assert tiles.BITS != 512 or drawn["HEIGHT"] == tiles.HEIGHT


def test_the_file_format_shows_the_real_configuration():
    from scratchgen.export.configuration import config

    text = (ROOT / "docs" / "file-format.md").read_text()
    (shown,) = [json.loads(content) for language, content in blocks(text) if language == "json"]
    real = config(sg.models.vae((28, 28, 1), latent=20, hidden=(128,), rng=0))
    real = json.loads(json.dumps(real))
    real["networks"]["decoder"]["layers"] = []  # left out in the document
    assert shown == real


def test_the_changelog_names_the_version():
    assert sg.__version__ in (ROOT / "docs" / "changelog.md").read_text()


needs_plots = pytest.mark.skipif(
    not is_installed("matplotlib"), reason="matplotlib is not installed: demos end in pictures"
)

# demo -> the settings that make it small, and the pictures that it writes
DEMOS = {
    "read_digits": ({"TRAIN": 300, "TEST": 200}, ["digits.png"]),
    "ring_modes": ({"SEEDS": (0,), "N": 600, "EPOCHS": 1}, ["ring.png"]),
    "game_modes": ({"SEEDS": (0,), "N": 600, "EPOCHS": 1, "SAMPLES": 100}, ["games.png"]),
    "classes": (
        {"WEIGHTS": (1.0,), "N": 300, "UNSEEN": 200, "EPOCHS": 1, "SAMPLES": 200},
        ["classes.png"],
    ),
    "latent_walk": ({"N": 200, "EPOCHS": 1, "ROWS": 2}, ["walk.png"]),
    "portrait": (
        {"N": 200, "POINTS": 600, "EPOCHS": {"vae": 1, "gan": 1, "ring": 1}},
        ["portrait.png"],
    ),
    "vae_example": (
        {"DATA": "digits", "SEEDS": (0, 1), "EPOCHS": 1, "TRAIN": 300, "TEST": 200},
        ["vae_example.png"],
    ),
    "ppca": ({"SEEDS": (0, 1), "EPOCHS": 3}, ["ppca.png"]),
    "dirac": ({"STEPS": 10}, ["dirac.png"]),
    "importance_weights": (
        {"SEEDS": (0,), "DRAWS": (1, 10, 30), "REPEATS": 20, "RESAMPLES": 3},
        ["importance.png"],
    ),
    "scales": (
        {"SEEDS": (0,), "N": 400, "EPOCHS": 1, "SAMPLES": 100, "MEANS": (2.0,)}
        | {"DEVIATIONS": (0.001,), "PICTURED": ((0.001, 0.0), (1.0, 2.0))},
        ["scales.png"],
    ),
    "v_curve": ({}, ["v_curve.png"]),
    "blocking": ({}, ["blocking.png", "roofline.png"]),
}


def test_every_demo_is_tested():
    assert {path.stem for path in (ROOT / "demos").glob("*.py")} == set(DEMOS)


@needs_plots
@pytest.mark.usefixtures("coarse", "few_digits")
@pytest.mark.parametrize("name", sorted(DEMOS))
def test_a_demo_runs_and_writes_its_pictures(name, tmp_path, monkeypatch, capsys):
    small, pictures = DEMOS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "SCRATCHGEN_DATA", os.environ.get("SCRATCHGEN_DATA", ""))
    if not os.environ["SCRATCHGEN_DATA"]:
        monkeypatch.delenv("SCRATCHGEN_DATA")
    demo = runpy.run_path(str(ROOT / "demos" / f"{name}.py"))
    demo["main"].__globals__.update(small)
    demo["main"]()
    assert sorted(path.name for path in tmp_path.iterdir()) == pictures
    assert (tmp_path / pictures[0]).stat().st_size > 1000
