"""All commands of `scratchgen`, with their options and help texts.

The checker and the bench are imported by their commands alone, because they take long to import.
"""

import argparse
from collections.abc import Callable
from typing import Any

from .. import data
from ..ground.arguments import whole
from ..ground.versions import __version__
from ..models import RECIPES
from . import explain, look, train
from .argument_parser import Parser
from .check_options import add_check_options
from .option_types import count, integer, name, number
from .train_options import add_train_options

MOST_THREADS = 256
NEW_SEED = "(default: a new one)"


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    root = Parser(
        prog="scratchgen",
        description="VAEs and GANs in plain NumPy, from training to samples.",
        epilog="Start with: scratchgen train vae",
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"scratchgen {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", dest="what", required=True)
    _add_train(commands)
    _add_sample(commands)
    _add_reconstruct(commands)
    _add_model(_add_command(commands, "info", look.info, "show what a model is and how it learnt"))
    _add_explain(commands)
    add_check_options(_add_command(commands, "check", _check, "check backward passes"))
    _add_command(commands, "warmup", _warmup, "compile all kernels, so that later runs start fast")
    _add_bench(commands)
    _add_data(commands)
    return root


def _add_train(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="train a model and write a run folder",
        description="Train a model and write a run folder.",
        epilog="scratchgen train MODEL --help lists the options of a model.",
        allow_abbrev=False,
    )
    models = command.add_subparsers(metavar="MODEL", dest="model", required=True)
    for model, recipe in RECIPES.items():
        add_train_options(_add_command(models, model, train.train, recipe.text), recipe)


def _add_sample(commands: Any) -> None:
    command = _add_command(commands, "sample", look.sample, "draw new examples from a model")
    _add_model(command)
    add = command.add_argument
    add("-n", type=count, default=64, help="number of examples (default: 64)")
    add("--seed", type=integer, metavar="N", help=f"seed of the draws {NEW_SEED}")
    label = "label of all examples, for a conditional model (default: each label in turn)"
    add("--label", type=integer, metavar="K", help=label)
    add("--noise", action="store_true", help="draw from p(x|z) instead of showing its mean")
    _add_output(command, "samples.png")


def _add_reconstruct(commands: Any) -> None:
    text = "show data beside their reconstructions"
    command = _add_command(commands, "reconstruct", look.reconstruct, text)
    _add_model(command)
    add = command.add_argument
    add("-n", type=count, default=50, help="number of examples (default: 50)")
    source = "name or path of the data (default: the data that the model was trained on)"
    add("--data", type=name, metavar="DATA", help=source)
    _add_output(command, "pairs.png")


def _add_explain(commands: Any) -> None:
    text = "show a model layer by layer, and its gradients on data"
    command = _add_command(commands, "explain", explain.explain, text)
    _add_model(command)
    add = command.add_argument
    source = "name or path of data on which to show values and gradients (default: none)"
    add("--data", type=name, metavar="DATA", help=source)
    add("-n", type=count, help=f"number of examples (default: {explain.EXAMPLES})")
    seed = f"seed by which the examples are chosen {NEW_SEED}"
    add("--seed", type=integer, metavar="N", help=seed)


def _add_bench(commands: Any) -> None:
    text = "measure the speed of this machine and of training"
    command = _add_command(commands, "bench", _bench, text)
    command.description = (
        "Measure this machine, the kernels, and training with sg.fit beside torch, jax and "
        "tensorflow where they are installed. Each tool runs in a process of its own; they take "
        "turns on the same CPUs."
    )
    add = command.add_argument
    parts = ("machine", "products", "kernels", "decoding", "start", "shares", "steps", "loops")
    part = f"{', '.join(parts)} (default: all parts)"
    add("part", nargs="?", choices=parts, metavar="PART", help=part)
    rounds = "how often each is measured; the median is reported (default: 7)"
    add("--rounds", type=count, metavar="N", help=rounds)
    threads = "threads, and as many CPUs, for each tool (default: 2)"
    limited = number(whole, int, least=1, most=MOST_THREADS)
    add("--threads", type=limited, default=2, metavar="N", help=threads)
    vectors = "avx2: no tool uses AVX-512, as on a CPU without it (default: what the CPU has)"
    add("--vectors", choices=("avx2",), metavar="SET", help=vectors)
    out = "folder for bench.json and bench.png (default: they are not written)"
    add("--out", type=name, metavar="FOLDER", help=out)
    quick = "small sizes and two rounds, to see whether everything runs"
    add("--quick", action="store_true", help=quick)
    python = "a Python that has other tools installed; may be given several times"
    add("--peers-python", type=name, action="append", metavar="PATH", help=python)
    cpus = (
        "haswell", "skylake", "znver2", "znver3", "znver4", "znver5", "neoverse-v1", "apple-m1",
    )  # fmt: skip
    cpu = f"a CPU for loops, {', '.join(cpus)}; may be given several times (default: all)"
    add("--cpu", choices=cpus, action="append", metavar="CPU", help=cpu)


def _add_data(commands: Any) -> None:
    command = _add_command(commands, "data", look.look, "draw examples of a data set")
    add = command.add_argument
    source = f"{', '.join(data.NAMES)}, a path, or - for standard input"
    add("name", type=name, metavar="DATA", help=source)
    add("-n", type=count, default=100, help="number of examples (default: 100)")
    split = "train or test, for built-in data (default: train)"
    add("--split", choices=("train", "test"), default="train", metavar="SPLIT", help=split)
    _add_output(command, "sheet.png")


def _add_command(commands: Any, name: str, run: Callable[..., int], text: str) -> Any:
    """A command with a help text, and the function that runs it."""
    description = f"{text[0].upper()}{text[1:]}."
    command = commands.add_parser(name, help=text, description=description, allow_abbrev=False)
    command.set_defaults(command=run, parser=command)
    return command


def _add_model(command: argparse.ArgumentParser) -> None:
    """The model that a command reads, and the modules that have its classes."""
    add = command.add_argument
    add("run", type=name, metavar="RUN", help="a run folder or a model file")
    modules: dict[str, Any] = {"type": name, "action": "append", "default": []}
    text = "a module of yours that defines layers of the model; may be given several times"
    add("--import", dest="modules", metavar="MODULE", **modules, help=text)


def _add_output(command: argparse.ArgumentParser, default: str) -> None:
    text = f"file to write: .png, .pdf, .svg or .npy (default: {default})"
    command.add_argument("-o", "--out", type=name, default=default, metavar="FILE", help=text)


def _check(options: argparse.Namespace) -> int:
    """`scratchgen check`."""
    from . import check

    return check.check(options)


def _warmup(options: argparse.Namespace) -> int:
    """`scratchgen warmup`."""
    from .warm_up import warmup

    return warmup(options)


def _bench(options: argparse.Namespace) -> int:
    """`scratchgen bench`."""
    from . import benchmark

    return benchmark.bench(options)
