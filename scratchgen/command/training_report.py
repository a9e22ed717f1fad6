"""The end of a training: judge the model, draw its pictures, and say what can be done next.

Results go to stdout. If stdout cannot be written, work goes on without it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..ground import printing
from ..ground.arguments import Array, can_be_drawn
from ..ground.opening import can_be_read_again
from ..ground.printing import give_up_stdout, shell_word, to_stderr
from ..ground.rng import stream
from ..ground.tables import paragraph
from ..ground.versions import is_installed, to_install
from ..metrics import coverage
from ..models import Model, active_latents, collapse
from ..models.diagnosis import ENOUGH
from . import folders, run_pictures
from .epoch_log import Log
from .reading_data import last_data

EXAMPLES = 256  # to look for a collapse
SAMPLES = 2_500  # to judge a model whose data have a known density


def to_stdout(*lines: str) -> None:
    """Print lines on stdout; if that fails, say so once and go on."""
    try:
        printing.to_stdout(*lines)
    except OSError as problem:
        give_up_stdout()
        if not isinstance(problem, BrokenPipeError):  # then nobody reads stdout any more
            to_stderr(
                f"scratchgen: stdout cannot be written ({problem.strerror}): training goes on"
            )


def judge_and_draw(
    folder: Path,
    model: Model,
    name: str,
    log: Log,
    x: Array,
    labels: Array | None,
    joined: Array | None,
) -> BaseException | None:
    """Judge the samples and draw the pictures; returns the exception that ended this, if any.

    labels (N,) colour the pictures; joined (N,) are the labels that the model joins.
    """
    try:
        _compare_with_truth(model, name)
        _look_for_collapse(model, x, joined)
        _draw(folder, model, log, x, labels)
    except (KeyboardInterrupt, OSError, MemoryError) as problem:
        what = "interrupted" if isinstance(problem, KeyboardInterrupt) else "stopped"
        to_stdout(f"{what} while drawing; the model is saved")
        return problem
    return None


def _compare_with_truth(model: Model, name: str) -> None:
    """Compare samples with the density of the data, if it is known."""
    if name in data.MIXTURES:
        modes = coverage(run_pictures.draw_examples(model, SAMPLES), data.MIXTURES[name])
        to_stdout(
            f"{modes.good:.1%} of {SAMPLES:,} samples are within 3 std of a mode; "
            f"{modes.found} of {modes.modes} modes have samples"
        )
    elif name in data.TOYS:
        toy = data.TOYS[name]
        of_samples = toy.log_prob(run_pictures.draw_examples(model, SAMPLES))
        of_data = toy.log_prob(toy.draw(SAMPLES, rng=run_pictures.SEED)[0])
        to_stdout(
            f"median of the true log-density: {np.median(of_samples):.3g} nats at {SAMPLES:,} "
            f"samples, {np.median(of_data):.3g} at data"
        )


def _look_for_collapse(model: Model, x: Array, labels: Array | None) -> None:
    """Say how many latents are active, and warn if the model has collapsed."""
    chosen = stream(run_pictures.SEED, "examples").permutation(len(x))[:EXAMPLES]
    x, labels = x[chosen], None if labels is None else labels[chosen]
    for line in count_latents(model, x, labels):
        to_stdout(line)
    for text in collapse(model, x, run_pictures.SEED, labels):
        to_stdout(*paragraph(f"warning: {text}"))


def count_latents(model: Any, x: Array, labels: Array | None) -> list[str]:
    """A line with the number of active latents at x (N, *shape); no line if N is too small."""
    if not model.encodes or len(x) < ENOUGH:
        return []
    with np.errstate(all="ignore"):
        mu = model.encode(x, labels)  # (N, Z)
    if not np.isfinite(mu).all():
        return []
    active = int(active_latents(mu).sum())
    return [f"{active:,} of {model.latent:,} latents are active: their mean varies with x"]


def _draw(folder: Path, model: Model, log: Log, x: Array, labels: Array | None) -> None:
    if is_installed("matplotlib"):
        run_pictures.draw_pictures(folder, model, log.history, x, labels)
    else:
        to_stdout(f"no pictures without matplotlib: {to_install('matplotlib')}")


def say_what_next(folder: Path, model: Model, source: str) -> None:
    """List the files of the run, and commands that can be copied."""
    files = (f"  {path.name:22}{folders.FILES.get(path.name, '')}" for path in folder.iterdir())
    run, shown = shell_word(folder), shell_word(source) if can_be_read_again(source) else "FILE"
    has_picture = can_be_drawn(model.shape) or len(model.shape) == 1
    commands = [f"sample {run} -n 64 -o samples.{'png' if has_picture else 'npy'}"]
    if model.encodes:
        is_default = data.builtin_name(source) == last_data(model)
        which = "" if is_default else f" --data {shown}"
        suffix = "png" if run_pictures.can_draw_reconstructions(model.shape) else "npy"
        commands.append(f"reconstruct {run}{which} -o pairs.{suffix}")
    commands += [f"info {run}", f"explain {run} --data {shown}"]
    to_stdout("", f"in {folder}:", *map(str.rstrip, sorted(files)))
    to_stdout("", "next:", *(f"  scratchgen {command}" for command in commands))
