"""`scratchgen train`: data, model and optimizers from the words of a command, and a run folder.

Results go to stdout, progress to stderr.
"""

import argparse
import dataclasses
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import data, optim, printing, runs
from .checks import Array, Shape, can_be_drawn, is_picture
from .distributions import Categorical, FixedGaussian
from .errors import DivergedError, FileError, OptionError, ScaleWarning
from .losses import PENALTIES
from .metrics import coverage
from .models import GAN, RECIPES, VAE, Model, collapse
from .opening import can_be_read_again, title
from .optim import (
    Chain,
    ClipNorm,
    Constant,
    Cosine,
    LinearDecay,
    Schedule,
    StepDecay,
    WarmUp,
    recorded,
)
from .printing import give_up_stdout, shell_word, tell
from .rng import chosen_seed, stream
from .stopping import Stop
from .tables import paragraph
from .train import fit, losses_text
from .train.scales import scale_advice, scale_problem
from .versions import is_installed, to_install

EXAMPLES = 256  # by which a collapse is seen

# Options that are settings of a run, and those that are parts of a model.
RUN = ("epochs", "batch_size", "average", "conditional", "divide_by", "scale")
PARTS = (
    "latent",
    "hidden",
    "beta",
    "warm_up",
    "free_bits",
    "likelihood",
    "variance",
    "classes",
    "loss",
    "discriminator_steps",
    "penalty",
    "penalty_weight",
    "weight_clip",
    "output",
    "instance_noise",
)

# What `train` does where it is not told; found by looking at what came out.
DEFAULTS: dict[str, dict[str, Any]] = {
    "vae of pictures": {
        "epochs": 40,
        "batch_size": 128,
        "latent": 8,
        "hidden": (256, 128),
    },
    "vae of vectors": {
        "epochs": 20,
        "batch_size": 128,
        "latent": 2,
        "hidden": (128, 128),
    },
    "gan of pictures": {
        "epochs": 60,
        "batch_size": 128,
        "latent": 32,
        "hidden": (256, 512),
    },
    "gan of vectors": {
        "epochs": 20,
        "batch_size": 256,
        "latent": 2,
        "hidden": (128, 128, 128),
    },
    # two time scales do what several moves of the discriminator would do, in fewer steps
    "wgan of pictures": {"discriminator_steps": 2, "weight_clip": 0.03},
    "wgan_gp of pictures": {"discriminator_steps": 1, "epochs": 40},
    "wgan of vectors": {"discriminator_steps": 1, "weight_clip": 0.1},
    "wgan_gp of vectors": {"discriminator_steps": 1, "penalty_weight": 1.0},
}

# What --optimizer may name, and --lr-schedule: of a rate, and the moves that it lasts.
OPTIMIZERS = {name: kind for name, kind in optim.OPTIMIZERS.items() if kind is not ClipNorm}
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, _: Constant(rate),
    "linear": LinearDecay,
    "step": lambda rate, moves: StepDecay(rate, max(1, moves // 3)),
    "cosine": Cosine,
}


def defaults(model: str, kind: str) -> dict[str, Any]:
    """What `train` does for that model of pictures, or of vectors, where it is not told."""
    family = "gan" if "gan" in model else "vae"
    return DEFAULTS[f"{family} of {kind}"] | DEFAULTS.get(f"{model} of {kind}", {})


def say(*lines: str) -> None:
    """Lines on stdout; where they cannot be written, work goes on in silence."""
    try:
        printing.say(*lines)
    except OSError as problem:
        give_up_stdout()
        if not isinstance(problem, BrokenPipeError):  # or nobody reads it any more
            tell(f"scratchgen: stdout cannot be written ({problem.strerror}): training goes on")


def train(options: argparse.Namespace) -> int:
    """Train a model and leave a run folder."""
    divide_by = 1 if options.divide_by is None and _wants_classes(options) else options.divide_by
    x, labels = runs.read_data(options.data, divide_by=divide_by)
    name = _name_of(options.data)
    settings = _settings(options, x, name)
    model = _build(settings, x, _classes(options, labels, name))
    settings |= _own_settings(model)
    model.check_as_given(x, name)
    about_scale = _about_scale(model, x, name)
    told = runs.labels_of(model, labels, name, len(x))
    if settings["batch_size"] > len(x):
        raise OptionError(
            f"--batch-size {settings['batch_size']} is above the {len(x)} examples of {name}"
        )
    steps = settings["epochs"] * -(-len(x) // settings["batch_size"])
    if settings.get("warm_up", 0) > steps > 0:
        raise OptionError(
            f"--kl-warm-up {settings['warm_up']} is above the {steps:,} steps of the run"
        )
    optimizers = _optimizers(options, model, steps)
    settings["optimizer"] = {player: recorded(one) for player, one in optimizers.items()}
    ended: BaseException | None = None
    where, why = None, ""
    with (
        Stop() as stop,
        runs.run_folder(options.out, options.model) as folder,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", ScaleWarning)  # it is said here
        say(f"{model}, {model.parameter_count():,} parameters")
        say(f"training on {name}: {len(x):,} examples, seed {settings['seed']}")
        if isinstance(model, GAN) and model.loss.name == "wasserstein" and not model.is_bounded():
            say("note: without --penalty or --weight-clip nothing bounds this game's scores")
        for text in about_scale:
            say(*paragraph(text))
        log, began = runs.Log(folder), time.perf_counter()
        try:
            fit(
                model,
                x,
                epochs=settings["epochs"],
                batch_size=settings["batch_size"],
                seed=settings["seed"],
                labels=told,
                optimizer=optimizers,
                average=options.average,
                callbacks=[log, runs.Checkpoint(folder, settings), stop],
                progress=True,
                replay=options.replay,
            )
        except BaseException as problem:  # whatever it is, the model so far is kept first
            ended = problem
            if isinstance(ended, MemoryError):
                ended.__traceback__ = None  # it holds all that training works in
        stop.is_saving = True
        done = model.training_log[-1]["steps"] if model.training_log else 0
        if ended is None or isinstance(ended, DivergedError) or done:
            where, why = runs.keep(folder, model, settings, log)
    if where is None:
        say("training ended before its first step had, so nothing is saved")
    elif ended is None:
        seconds = f"trained in {time.perf_counter() - began:.1f} s"
        say(f"{seconds}: {losses_text(log.last())}" if log.last() else seconds)
        if not stop.number:
            ended = _pictures(where, model, name, log, x, labels, told)
    else:
        what = "interrupted" if isinstance(ended, KeyboardInterrupt) else "broken off"
        say(f"{what} after {done:,} of {steps:,} steps; the model so far is saved")
    if where is not None:
        _say_what_next(where, model, options.data)
    if ended is not None and not isinstance(ended, KeyboardInterrupt):
        raise ended
    if why:
        raise FileError(f"the run is in {where}, because {why}")
    return 0 if ended is None and not stop.number else stop.exit_code()


def _pictures(
    folder: Path,
    model: Model,
    name: str,
    log: runs.Log,
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
        say(f"{what} while drawing; the model is saved")
        return problem
    return None


def _name_of(source: str) -> str:
    """What records call the data: a built-in name, or that of the file, never its folder."""
    name = data.builtin_name(source) or title(source)
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _wants_classes(options: argparse.Namespace) -> bool:
    """Whether the numbers of x are the numbers of classes, which nothing may divide."""
    likelihood, classes = getattr(options, "likelihood", None), getattr(options, "classes", None)
    return likelihood == Categorical.name or classes is not None


def _classes(options: argparse.Namespace, labels: Array | None, name: str) -> int:
    """How many classes the model is to be told apart by: those of the data, or 0."""
    needs_labels = RECIPES[options.model].needs_labels
    if not (options.conditional or needs_labels):
        return 0
    if labels is None and needs_labels:
        raise OptionError(
            f"{options.model} learns from the labels of its data, and {name} has none: name other "
            f"data"
        )
    if labels is None:
        raise OptionError(f"--conditional needs labels, and {name} has none: leave it out")
    return int(labels.max()) + 1


def _settings(options: argparse.Namespace, x: Array, name: str) -> dict[str, Any]:
    """All that decides how training goes, as plain numbers and strings: config.json."""
    settings = defaults(options.model, "pictures" if is_picture(x.shape[1:]) else "vectors")
    settings |= {"model": options.model, "data": name}
    given = {key: value for key, value in vars(options).items() if value is not None}
    settings |= {key: given[key] for key in (*RUN, *PARTS) if key in given}
    if options.batch_size is None:
        settings["batch_size"] = min(settings["batch_size"], len(x))
    return settings | {"seed": chosen_seed(options.seed), "examples": len(x)}


def _own_settings(model: Model) -> dict[str, Any]:
    """What the model settled by itself, for config.json."""
    own = model.settings()
    return {key: own[key] for key in PARTS if key in own}


def _build(settings: dict[str, Any], x: Array, n_labels: int) -> Model:
    shape: Shape = x.shape[1:]
    parts = {key: settings[key] for key in PARTS if key in settings}
    weight = parts.pop("penalty_weight", None)
    if weight is not None:
        name = "gradient_penalty" if settings["model"] == "wgan_gp" else parts.get("penalty")
        if name is None:
            raise OptionError(
                f"--penalty-weight {weight:g} is of a penalty: name it with --penalty"
            )
        parts["penalty"] = PENALTIES[name](weight)
    if parts.get("likelihood") == Categorical.name and "classes" not in parts:
        raise OptionError("--likelihood categorical wants the number of classes: add --classes N")
    for option, kind in (("variance", FixedGaussian), ("classes", Categorical)):
        if option in parts:
            if parts.get("likelihood", kind.name) != kind.name:
                raise OptionError(f"--{option} is of --likelihood {kind.name}: leave one out")
            parts["likelihood"] = kind(parts.pop(option))
    if "scale" in settings:
        if len(shape) > 1:
            raise OptionError(
                f"--scale {settings['scale']} is of vectors (N, D), and the data are {x.shape}: "
                f"pixels share one unit; leave it out"
            )
        parts["scaler"] = data.SCALERS[settings["scale"]](x)
    weights = stream(settings["seed"], "weights")
    recipe: Any = RECIPES[settings["model"]]
    return recipe(shape, rng=weights, n_labels=n_labels, **parts)


def _about_scale(model: Model, x: Array, name: str) -> list[str]:
    """What is to be known, before training, of the scale of the data."""
    lines = []
    if problem := scale_problem(model, x, name):
        advice = "add --scale standard" if x.ndim == 2 else scale_advice(x)
        lines.append(f"warning: {problem}: {advice}")
    if model.scaler is not None and isinstance(model, VAE) and model.is_density():
        nats = model.scaler.log_det
        less = f"{abs(nats):.4g} nats {'lower' if nats > 0 else 'higher'}"
        lines.append(f"losses are of scaled data; in the units of {name} they are {less}")
    return lines


def _optimizers(options: argparse.Namespace, model: Model, steps: int) -> dict[str, Any]:
    """The model's own optimizers, but for what was asked for."""
    chosen: dict[str, Any] = dict(model.optimizers(steps, options.learning_rate))
    for player, one in chosen.items():
        if options.optimizer:
            kind: Any = OPTIMIZERS[options.optimizer]
            one = kind() if options.learning_rate is None else kind(options.learning_rate)
        one = dataclasses.replace(one, **_rule(options, one))
        if options.lr_schedule or options.lr_warm_up:
            moves = max(1, model.moves(player, steps))
            one = dataclasses.replace(one, learning_rate=_schedule(options, one, moves))
        if options.clip_norm:
            one = ClipNorm(one, options.clip_norm)
        chosen[player] = one
    return chosen


def _rule(options: argparse.Namespace, optimizer: Any) -> dict[str, Any]:
    """The settings of an optimizer's rule that were asked for; OptionError if it has no such."""
    asked = {name: getattr(options, name) for name in ("momentum", "weight_decay", "centred")}
    asked = {name: value for name, value in asked.items() if value is not None}
    known = {field.name for field in dataclasses.fields(optimizer)}
    for name in asked:
        if name not in known:
            having = [key for key, kind in OPTIMIZERS.items() if hasattr(kind, name)]
            raise OptionError(
                f"--{name.replace('_', '-')} is of --optimizer {' or '.join(having)}, not of "
                f"{type(optimizer).__name__}"
            )
    return asked


def _schedule(options: argparse.Namespace, optimizer: Any, moves: int) -> Any:
    """From the optimizer's first rate: warm-up, if any, and then the schedule that was named.

    Where none was named, the one that the optimizer has.
    """
    before = optimizer.learning_rate
    rate = getattr(before, "rate", before)
    own = "linear" if isinstance(before, LinearDecay) else "constant"
    warm_up = options.lr_warm_up or 0
    if warm_up >= moves:
        raise OptionError(f"--lr-warm-up {warm_up} is not below the {moves:,} moves of the run")
    rest = moves - warm_up
    made = SCHEDULES[options.lr_schedule or own](rate, rest)
    return Chain(WarmUp(rate, warm_up), made) if warm_up else made


def _judge(model: Model, name: str) -> None:
    """Where the truth is known, say how much of it was found."""
    if name in data.MIXTURES:
        found = coverage(runs.draw_examples(model, 2_500), data.MIXTURES[name])
        say(
            f"of 2,500 samples {found.good:.1%} are within 3 std of a mode; "
            f"{found.found} of {found.modes} modes found"
        )
    elif name in data.TOYS:
        toy = data.TOYS[name]
        ours = toy.log_prob(runs.draw_examples(model, 2_500))
        theirs = toy.log_prob(toy.draw(2_500, rng=runs.SEED)[0])
        say(
            f"true log-density: {np.median(ours):.3g} nats at the median of 2,500 samples, "
            f"{np.median(theirs):.3g} of data"
        )


def _look_for_collapse(model: Model, x: Array, labels: Array | None) -> None:
    """Say how many latents are in use, and what the model has collapsed to, if it has."""
    shown = stream(runs.SEED, "examples").permutation(len(x))[:EXAMPLES]
    x, labels = x[shown], None if labels is None else labels[shown]
    for line in runs.latents_in_use(model, x, labels):
        say(line)
    for text in collapse(model, x, runs.SEED, labels):
        say(*paragraph(f"warning: {text}"))


def _draw(folder: Path, model: Model, log: runs.Log, x: Array, labels: Array | None) -> None:
    if is_installed("matplotlib"):
        runs.draw_pictures(folder, model, log.history, x, labels)
    else:
        say(f"no pictures without matplotlib: {to_install('matplotlib')}")


def _say_what_next(folder: Path, model: Model, source: str) -> None:
    files = (f"  {path.name:22}{runs.FILES.get(path.name, '')}" for path in folder.iterdir())
    run, shown = shell_word(folder), shell_word(source) if can_be_read_again(source) else "FILE"
    drawn = can_be_drawn(model.shape) or len(model.shape) == 1
    commands = [f"sample {run} -n 64 -o samples.{'png' if drawn else 'npy'}"]
    if isinstance(model, VAE):
        known = data.builtin_name(source) == runs.learnt_from(model)
        which = "" if known else f" --data {shown}"
        kind = "png" if runs.shows_reconstructions(model.shape) else "npy"
        commands.append(f"reconstruct {run}{which} -o pairs.{kind}")
    commands += [f"info {run}", f"explain {run} --data {shown}"]
    say("", f"in {folder}:", *map(str.rstrip, sorted(files)))
    say("", "next:", *(f"  scratchgen {command}" for command in commands))


__all__ = ["defaults", "train"]
