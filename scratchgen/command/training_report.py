"""What ends a training: what it found is judged, drawn and told, and what may be done next is said.

Results go to stdout, and where they cannot be written, work goes on in silence.
"""

from pathlib import Path

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
from ..models import Model, collapse
from . import folders

EXAMPLES = 256  # by which a collapse is seen


def to_stdout(*lines: str) -> None:
    """Lines on stdout; where they cannot be written, work goes on in silence."""
    try:
        printing.to_stdout(*lines)
    except OSError as problem:
        give_up_stdout()
        if not isinstance(problem, BrokenPipeError):  # or nobody reads it any more
            to_stderr(
                f"scratchgen: stdout cannot be written ({problem.strerror}): training goes on"
            )


def pictures(
    folder: Path,
    model: Model,
    name: str,
    log: folders.Log,
    x: Array,
    labels: Array | None,
    joined: Array | None,
) -> BaseException | None:
    """Judge the samples, and draw; what put an end to that, if anything did.

    labels (N,) colour the pictures; joined (N,) are those that the model joins.
    """
    try:
        _judge(model, name)
        _look_for_collapse(model, x, joined)
        _draw(folder, model, log, x, labels)
    except (KeyboardInterrupt, OSError, MemoryError) as problem:
        what = "interrupted" if isinstance(problem, KeyboardInterrupt) else "broken off"
        to_stdout(f"{what} while drawing; the model is saved")
        return problem
    return None


def _judge(model: Model, name: str) -> None:
    """Where the truth is known, say how much of it was found."""
    if name in data.MIXTURES:
        found = coverage(folders.draw_examples(model, 2_500), data.MIXTURES[name])
        to_stdout(
            f"of 2,500 samples {found.good:.1%} are within 3 std of a mode; "
            f"{found.found} of {found.modes} modes found"
        )
    elif name in data.TOYS:
        toy = data.TOYS[name]
        ours = toy.log_prob(folders.draw_examples(model, 2_500))
        theirs = toy.log_prob(toy.draw(2_500, rng=folders.SEED)[0])
        to_stdout(
            f"true log-density: {np.median(ours):.3g} nats at the median of 2,500 samples, "
            f"{np.median(theirs):.3g} of data"
        )


def _look_for_collapse(model: Model, x: Array, labels: Array | None) -> None:
    """Say how many latents are in use, and what the model has collapsed to, if it has."""
    shown = stream(folders.SEED, "examples").permutation(len(x))[:EXAMPLES]
    x, labels = x[shown], None if labels is None else labels[shown]
    for line in folders.latents_in_use(model, x, labels):
        to_stdout(line)
    for text in collapse(model, x, folders.SEED, labels):
        to_stdout(*paragraph(f"warning: {text}"))


def _draw(folder: Path, model: Model, log: folders.Log, x: Array, labels: Array | None) -> None:
    if is_installed("matplotlib"):
        folders.draw_pictures(folder, model, log.history, x, labels)
    else:
        to_stdout(f"no pictures without matplotlib: {to_install('matplotlib')}")


def say_what_next(folder: Path, model: Model, source: str) -> None:
    files = (f"  {path.name:22}{folders.FILES.get(path.name, '')}" for path in folder.iterdir())
    run, shown = shell_word(folder), shell_word(source) if can_be_read_again(source) else "FILE"
    drawn = can_be_drawn(model.shape) or len(model.shape) == 1
    commands = [f"sample {run} -n 64 -o samples.{'png' if drawn else 'npy'}"]
    if model.encodes:
        known = data.builtin_name(source) == folders.learnt_from(model)
        which = "" if known else f" --data {shown}"
        kind = "png" if folders.shows_reconstructions(model.shape) else "npy"
        commands.append(f"reconstruct {run}{which} -o pairs.{kind}")
    commands += [f"info {run}", f"explain {run} --data {shown}"]
    to_stdout("", f"in {folder}:", *map(str.rstrip, sorted(files)))
    to_stdout("", "next:", *(f"  scratchgen {command}" for command in commands))
