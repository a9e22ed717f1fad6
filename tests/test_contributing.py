"""docs/contributing.md is followed to the letter, in a copy of the package.

The copy gets the page's files and lines. A process that imports it runs `report`, at the end of
this file, once; the tests read what it says.
"""

import contextlib
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "contributing.md").read_text()
LISTING = re.compile(r"^```python\n# (scratchgen/\S+\.py)\n(.*?)^```$", re.M | re.S)
LISTINGS = LISTING.findall(PAGE)
FILES = {path: text for path, text in LISTINGS if not path.endswith("__init__.py")}
LINES = [(path, text) for path, text in LISTINGS if path.endswith("__init__.py")]
FIRST_LIST = re.compile(r"import parts_in[^\n]*\n\n(?:from [^\n]*\n)+")  # of a room's __init__.py

NEW = {  # registry -> the name in it, and the name in its room
    "nn.LAYERS": [("ScaleColumns", "ScaleColumns"), ("SquaredReLU", "SquaredReLU")],
    "nn.ACTIVATIONS": [("SquaredReLU", "SquaredReLU")],
    "distributions.LIKELIHOODS": [("laplace", "Laplace")],
    "losses.LOSSES": [("smoothed", "SMOOTHED")],
    "optim.OPTIMIZERS": [("adagrad", "AdaGrad")],
}
SPECIMENS = {
    ("layer", "ScaleColumns"),
    ("layer", "SquaredReLU"),
    ("second order", "ScaleColumns, second order"),
    ("second order", "SquaredReLU, second order"),
    ("likelihood", "laplace"),
    ("game", "smoothed"),
    ("optimizer", "adagrad"),
    ("model", "VAE, laplace"),
    ("model", "GAN, smoothed"),
}
LOOPS = {
    "scale_columns",
    "score_laplace",
    "smoothed_discriminator",
    "adagrad_step",
    *(f"SquaredReLU.{verb}" for verb in ("activate", "times_slope", "times_slope_and_curvature")),
}
CHECKED = ("scale_columns", "squared_relu", "laplace", "smoothed", "adagrad")
COMMANDS = {
    "vae": "--likelihood laplace --activation squared_relu --optimizer adagrad",
    "gan": "--loss smoothed --activation squared_relu --optimizer adagrad",
}


def copy_with_the_new_parts(folder: Path) -> None:
    """The package, with every file and line of the page, and its digests written."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "scratchgen", folder / "scratchgen", ignore=ignored)
    for path, text in FILES.items():
        assert not (folder / path).exists(), path
        (folder / path).write_text(text)
    for path, line in LINES:
        room = (folder / path).read_text()
        (found,) = FIRST_LIST.finditer(room)
        (folder / path).write_text(room[: found.end()] + line + room[found.end() :])
    run(folder, "-m", "scratchgen.kernels.write_digests")


def run(folder: Path, *words: str) -> str:
    """The output of Python in that folder, which imports the copy there."""
    clean = {name: x for name, x in os.environ.items() if not name.startswith("SCRATCHGEN_REPLAY")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, Any]:
    """What `report` says of the copy."""
    folder = tmp_path_factory.mktemp("contributor")
    copy_with_the_new_parts(folder)
    result: dict[str, Any] = json.loads(run(folder, __file__).splitlines()[-1])
    assert Path(result["package"]).parent == folder / "scratchgen"
    return result


def test_each_file_of_the_page_has_one_line_in_its_room():
    assert len(FILES) == len(LINES) == 5
    for file, (room, line) in zip(FILES, LINES, strict=True):
        assert Path(file).parent == Path(room).parent
        assert re.fullmatch(rf"from \.{Path(file).stem} import (\w+) as \1\n", line)


def test_new_layers_and_parts_are_in_their_registries_and_public(found):
    assert found["registered"] == {registry: [True] * len(new) for registry, new in NEW.items()}


def test_the_certificate_has_their_specimens_and_each_passes(found):
    assert {(kind, name) for kind, name, _ in found["certificate"]} == SPECIMENS
    assert {verdict for _, _, verdict in found["certificate"]} == {"PASS"}


def test_their_loops_give_what_their_formulas_give(found):
    """In both dtypes, by the test that compares all loops."""
    assert set(found["loops"]) == (LOOPS if found["numba"] else set())
    assert set(found["kernels"]) >= LOOPS | {"multiply_rows"}


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_models_with_them_train_to_the_same_bits_replayed_and_as_written(found, model):
    written, replayed = found["trained"][model]["False"], found["trained"][model]["True"]
    assert (written["plans"], replayed["plans"] > 0) == (0, True)
    assert written["weights"] == replayed["weights"] != written["first"]
    assert written["history"] == replayed["history"]
    assert np.isfinite(list(written["history"].values())).all()


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_models_with_them_are_saved_and_loaded(found, model):
    saved, loaded = found["saved"][model]
    assert saved == loaded
    assert "SquaredReLU" in saved["networks"]
    assert {"vae": "Laplace()", "gan": "smoothed"}[model] in saved["model"]


@pytest.mark.parametrize("recipe", COMMANDS)
def test_the_command_line_takes_them_by_name_and_explains_them(found, recipe):
    code, log, text = found["commands"][recipe]
    assert code == 0
    for optimizer in log:
        assert optimizer == {"name": "adagrad", "learning_rate": 0.01, "eps": 1e-10}
    words = {"vae": "x_j ~ Laplace(raw_j, 1)", "gan": "- 0.1 log(1 - sigmoid(r))"}
    assert words[recipe] in " ".join(text.split())
    assert "y = max(x, 0)^2" in " ".join(text.split())


@pytest.mark.parametrize("name", CHECKED)
def test_the_command_check_finds_them_by_name(found, name):
    code, text = found["checked"][name]
    assert code == 0
    assert name.replace("_", "") in text.lower().replace("_", "")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adagrad_follows_its_paper(found, dtype):
    """Duchi et al. 2011, with the diagonal of the matrix; computed apart from the library."""
    assert found["adagrad"][dtype] == "PASS"


# What the process with the copy runs.


def model_of(sg: Any, name: str) -> Any:
    """A model with every new part that its family can have."""
    nn = sg.nn

    def network(n_out: int) -> Any:
        layers = (nn.Dense(2, 8), nn.SquaredReLU(), nn.ScaleColumns(8), nn.Dense(8, n_out))
        return nn.Network((2,), *layers)

    if name == "vae":
        return sg.models.VAE(network(4), network(2), "laplace", rng=0)
    return sg.models.GAN(network(2), network(1), "smoothed", rng=0)


def loops_that_agree() -> list[str]:
    """The names of new loops that passed the test of all loops."""
    sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "kernels")]
    import test_formulas

    for name in sorted(LOOPS):
        test_formulas.test_every_loop_computes_what_its_formula_computes_on_a_few_numbers(name)
    return sorted(LOOPS)


def trained(sg: Any, name: str, replay: bool) -> dict[str, Any]:
    from scratchgen.kernels.plans import Plan

    plans: list[Any] = []
    run_plan = Plan.run
    Plan.run = lambda plan: plans.append(plan) or run_plan(plan)  # type: ignore[method-assign,func-returns-value]
    model = model_of(sg, name)
    first = model.vector.tobytes().hex()
    x = sg.data.ring(64, rng=0)
    history = sg.fit(
        model, x, epochs=4, batch_size=16, seed=0, replay=replay, optimizer="adagrad",
        progress=False,
    )  # fmt: skip
    Plan.run = run_plan  # type: ignore[method-assign]
    weights = model.vector.tobytes().hex()
    return {"first": first, "weights": weights, "history": dict(history), "plans": len(plans)}


def shown(model: Any) -> dict[str, str]:
    networks = " ".join(map(repr, model.networks.values()))
    return {"model": str(model), "networks": networks, "vector": model.vector.tobytes().hex()}


def saved_and_loaded(sg: Any, name: str) -> list[dict[str, str]]:
    model = model_of(sg, name)
    sg.save(model, f"{name}.npz")
    return [shown(model), shown(sg.load(f"{name}.npz"))]


def command(*words: str) -> tuple[int, str]:
    """The exit code of `python -m scratchgen`, and what it prints."""
    sys.argv = ["scratchgen", *words]
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            runpy.run_module("scratchgen", run_name="__main__")
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue()


def commanded(sg: Any, recipe: str) -> tuple[int, list[Any], str]:
    """The exit code of a training, its optimizers as logged, and what `explain` prints."""
    words = f"{recipe} --data points.npy --hidden 4 --latent 2 --epochs 1 --seed 0 --out {recipe}"
    code, _ = command("train", *words.split(), *COMMANDS[recipe].split())
    _, text = command("explain", recipe, "--data", "points.npy")
    log = sg.load(f"{recipe}/model.npz").training_log[0]["optimizer"]
    return code, list(log.values()), text


def adagrad_by_hand(theta: Any, gradient: Any, state: dict[str, Any], t: int) -> Any:
    state["squares"] = [*state.get("squares", []), gradient**2]
    rate, eps = (theta.dtype.type(x) for x in (0.01, 1e-10))
    return theta - rate * gradient / (np.sqrt(sum(state["squares"])) + eps)


def report() -> dict[str, Any]:
    """What the copy of the package says of its new parts."""
    import scratchgen as sg
    from scratchgen.gradcheck.certificate import specimens
    from scratchgen.gradcheck.reports.report import Report
    from scratchgen.kernels.cases import kernels
    from scratchgen.kernels.formulas import by_formulas, numba_works

    def registered(registry: str, entry: str, public: str) -> bool:
        room, name = registry.split(".")
        known = getattr(getattr(sg, room), name)
        return known.get(entry) is getattr(getattr(sg, room), public)

    with by_formulas():
        certificate = [
            (x.kind, x.name, Report(x.name, x.cases(0), 0, "", 0.0, x.kind).verdict)
            for x in specimens()
            if (x.kind, x.name) in SPECIMENS
        ]
        checked = sg.check_optimizer(sg.optim.AdaGrad(), reference=adagrad_by_hand, seconds=None)
    np.save("points.npy", sg.data.ring(64, rng=0))
    return {
        "package": sg.__file__,
        "numba": numba_works(),
        "registered": {name: [registered(name, *x) for x in new] for name, new in NEW.items()},
        "certificate": certificate,
        "adagrad": {case.label: case.verdict for case in checked.cases},
        "kernels": sorted(kernels()),
        "loops": loops_that_agree() if numba_works() else [],
        "trained": {
            name: {str(way): trained(sg, name, way) for way in (False, True)}
            for name in ("vae", "gan")
        },
        "saved": {name: saved_and_loaded(sg, name) for name in ("vae", "gan")},
        "checked": {name: command("check", name) for name in CHECKED},
        "commands": {recipe: commanded(sg, recipe) for recipe in COMMANDS},
    }


if __name__ == "__main__":
    print(json.dumps(report()))
