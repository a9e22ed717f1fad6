"""Copies of the package with an edit in them, and small trainings there: with and without replay.

A copy lies in a folder of its own, and a training runs in a process that imports it:

    python edited_copies.py TRAINING [HOOK]        prints the results as JSON; see `trained`
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAYS = {"None": None, "False": False, "True": True}  # fit(replay=...)
EPOCHS, ROWS = 3, 64
TRAININGS = ("bernoulli", "gaussian", "gan", "hinge", "elu")


@dataclass(frozen=True)
class Edit:
    """A replacement of a text that a file has once; or a hook, which changes a running program.

    `training` is a training that runs the text. A hook is Python code with `sg` that runs before
    each `fit`. It may define `callback(run)`, which is called after every step, and `undo()`.
    `line` is a part of the line on stderr.
    """

    name: str
    file: str = ""
    old: str = ""
    new: str = ""
    training: str = "bernoulli"
    counts: bool = True  # whether it changes the losses
    line: str | None = None
    hook: str = ""
    prints: bool = False

    def said(self) -> str:
        """A part of the line that gives the reason against replays; "" for no line."""
        return f"scratchgen/{self.file} was edited" if self.line is None else self.line

    def put_into(self, folder: Path) -> None:
        """Apply it to a copy. ValueError unless the text is there exactly once."""
        if not self.file:
            return
        path = folder / "scratchgen" / self.file
        text = path.read_bytes().decode()
        if self.old == "\n":
            text = text.replace("\n", self.new)
        elif text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} is {text.count(self.old)} times in {path}")
        else:
            text = text.replace(self.old, self.new)
        path.write_bytes(text.encode())


def published(folder: Path) -> Path:
    """A copy of the package as it is now, published."""
    package = Path(__file__).parents[1] / "scratchgen"
    shutil.copytree(package, folder / "scratchgen", ignore=shutil.ignore_patterns("__pycache__"))
    run(folder, "-m", "scratchgen.kernels.write_digests")
    return folder


def copied(origin: Path, folder: Path) -> Path:
    """Another copy of it."""
    shutil.copytree(origin / "scratchgen", folder / "scratchgen")
    return folder


def run(folder: Path, *command: str, **environment: str) -> str:
    """The output of Python in a process that imports the copy in that folder."""
    settings = {"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    kept = {name: x for name, x in os.environ.items() if not name.startswith("SCRATCHGEN_")}
    done = subprocess.run(
        [sys.executable, *command],
        env={**kept, **settings, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def outcome(folder: Path, edit: Edit, loops: bool = False, **environment: str) -> dict[str, Any]:
    """The result of `trained` in the copy in that folder, with the loops of numba or without."""
    settings = {"SCRATCHGEN_JIT": "1" if loops else "0", **environment}
    return json.loads(run(folder, str(Path(__file__)), edit.training, edit.hook, **settings))


def model_of(sg: Any, training: str) -> Any:
    """A small model, the same every time."""
    nn = sg.nn
    bend = nn.ELU() if training == "elu" else nn.ReLU()
    if training in ("gan", "hinge"):
        generator = nn.Network((3,), nn.Dense(3, 8), bend, nn.Dense(8, 6))
        critic = nn.Network((6,), nn.Dense(6, 8), bend, nn.Dense(8, 1))
        loss = "hinge" if training == "hinge" else "non_saturating"
        return sg.models.GAN(generator, critic, loss, rng=0)
    width = 12 if training == "gaussian" else 6
    encoder = nn.Network((6,), nn.Dense(6, 8), bend, nn.Dense(8, 4))
    decoder = nn.Network((2,), nn.Dense(2, 8), bend, nn.Dense(8, width))
    likelihood = "gaussian" if training == "gaussian" else "bernoulli"
    return sg.models.VAE(encoder, decoder, likelihood, rng=0)


def trained(training: str, hook: str) -> dict[str, Any]:
    """For each of WAYS: losses, a hash of the weights, stdout, stderr, and runs of plans."""
    import numpy as np

    import scratchgen as sg
    import scratchgen.train
    from scratchgen.kernels.plans import Plan
    from scratchgen.train import permission

    plans: list[Any] = []
    run_plan = Plan.run

    def counted(plan: Any) -> None:
        plans.append(plan)
        run_plan(plan)

    Plan.run = counted  # type: ignore[method-assign]
    x = (np.random.default_rng(0).random((ROWS, 6)) > 0.5).astype(np.float32)
    found = {}
    for name, way in WAYS.items():
        permission.SAID.clear()
        plans.clear()
        model, known = model_of(sg, training), {"sg": sg, "np": np, "sys": sys}
        exec(hook, known)

        class Hooked(sg.train.Callback):
            def on_step(self, run: Any) -> None:
                if "callback" in known:
                    known["callback"](run)

        callbacks = [Hooked()] if "callback" in known else []
        with _streams() as (out, err):
            history = sg.fit(
                model, x, epochs=EPOCHS, batch_size=16, seed=1, replay=way, callbacks=callbacks,
                progress=False,
            )  # fmt: skip
        if "undo" in known:
            known["undo"]()
        weights = model.vector.tobytes()
        found[name] = {
            "losses": {key: [float(x).hex() for x in row] for key, row in history.items()},
            "weights": hashlib.sha256(weights).hexdigest(),
            "out": out.getvalue().splitlines(),
            "err": [x for x in err.getvalue().splitlines() if "compiling kernels" not in x],
            "plans": len(plans),
        }
    return found


@contextlib.contextmanager
def _streams() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def numbers(result: dict[str, Any]) -> Any:
    """The losses and the weights of a result."""
    return result["losses"], result["weights"]


def problems(edit: Edit, found: dict[str, Any], plain: dict[str, Any]) -> list[str]:
    """How the results break the promise; `plain` are those of the unedited package."""
    wrong = []
    for name in ("None", "True"):
        if numbers(found[name]) != numbers(found["False"]):
            wrong.append(f"replay={name} gives other numbers than replay=False")
    if (numbers(found["False"]) != numbers(plain["False"])) != edit.counts:
        wrong.append("the edit changes no number" if edit.counts else "the edit changes numbers")
    lines = found["None"]["err"]
    if edit.said() and (len(lines) != 1 or edit.said() not in lines[0]):
        wrong.append(f"stderr: {lines}")
    if not edit.said() and (lines or not found["None"]["plans"]):
        wrong.append(f"not replayed: {lines}")
    if edit.said() and "debugger" not in edit.said() and not edit.hook and found["None"]["plans"]:
        wrong.append("a plan ran")
    if found["False"]["plans"]:
        wrong.append("a plan ran with replay=False")
    if found["None"]["out"] != found["False"]["out"] or bool(found["None"]["out"]) != edit.prints:
        counts = [len(found[name]["out"]) for name in WAYS]
        wrong.append(f"printed {counts} times")
    return wrong


if __name__ == "__main__":
    print(json.dumps(trained(sys.argv[1], sys.argv[2])))
