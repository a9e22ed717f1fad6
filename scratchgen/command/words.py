"""The command line: `scratchgen train vae`, and then look at what it has learnt.

An error is one to three lines on stderr. The exit code is 0 when all went well, 1 when something
was wrong with data or files, 2 when the command was called wrongly (an option that has no such name
or value), and, as shells have it, 128 and the number of the signal that ended it: 130 after Ctrl-C.
"""

import argparse
import io
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .. import data
from ..ground.arguments import MOST_EXAMPLES, finite, fraction, nearest, one_of, sizes, whole
from ..ground.errors import OptionError, ScratchgenError, printable
from ..ground.printing import give_up_stdout, to_stderr
from ..ground.tables import WIDTH, paragraph
from ..ground.versions import __version__
from ..models import RECIPES, Recipe
from . import explain, look, optimizer_options, train, user_functions, user_objects
from .model_options import NONE, Option, by_default, options_of

MOST_THREADS = 256
METAVARS = {int: "N", float: "X", str: "TEXT"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show is no error
    try:
        options, rest = parser().parse_known_args(arguments)
        if rest:
            options.parser.refuse(rest[0])
        for module in getattr(options, "modules", ()):
            user_objects.imported(module)
        return int(options.command(options))
    except OptionError as problem:
        complain(str(problem))
        return 2
    except ScratchgenError as problem:
        complain(str(problem))
        return 1
    except MemoryError:
        complain("not enough memory: try smaller --hidden, --latent, --batch-size or -n")
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read our output has gone
        give_up_stdout()
        return 1
    except OSError as problem:  # a full disk, say
        give_up_stdout()
        complain(f"{problem.filename or 'writing'}: {problem.strerror or problem}")
        return 1


def complain(text: str) -> None:
    """An error on stderr: at most three lines of a terminal's width, and nothing unprintable."""
    text = "scratchgen: " + printable(" ".join(text.split()))
    most, lines = len(text), paragraph(text)
    while len(lines) > 3:  # what is left out stands before the end, where the advice is
        most = min(most, 3 * WIDTH) - 1
        lines = paragraph(f"{text[: most - WIDTH]} ... {text[-WIDTH + 10 :]}")
    to_stderr(*lines)


class Parser(argparse.ArgumentParser):
    """argparse, but its errors are ours: short, and with the nearest match."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)

    def refuse(self, word: str) -> NoReturn:
        """Complain of a word that no option of this command takes."""
        if not word.startswith("-"):
            self.error(f"one word too many: {word!r}")
        known = [option for action in self._actions for option in action.option_strings]
        self.error(f"{self.prog} has no option {word.split('=')[0]}{nearest(word, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = action.option_strings[0] if action.option_strings else str(action.metavar)
            try:
                one_of(value, action.choices, what)
            except OptionError as problem:
                self.error(str(problem))


def number(check: Callable[..., Any], kind: Callable[[str], Any], **limits: Any) -> Any:
    """An argparse type: `kind` of the text, checked like the argument of a function."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = text
        try:
            return check(value, "", **limits)
        except OptionError as problem:
            raise argparse.ArgumentTypeError(str(problem).removeprefix("=")) from None

    return parse


positive = number(finite, float, above=True)
some = number(whole, int, least=1, most=MOST_EXAMPLES)


def name(text: str) -> str:
    """The name of something: any text but none."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def widths(text: str) -> Any:
    """`128,64` as hidden widths."""
    try:
        return sizes([int(part) for part in text.split(",")], "value")
    except (ValueError, OptionError):
        raise argparse.ArgumentTypeError(
            f"{text!r}: wants widths of at least 1, such as 128 or 256,128"
        ) from None


def shape(text: str) -> Any:
    """`4,5`, or `4x5`, as the shape of an input."""
    try:
        return widths(text.replace("x", ","))
    except argparse.ArgumentTypeError:
        wants = "wants a shape with the batch in front, such as 4,5"
        raise argparse.ArgumentTypeError(f"{text!r}: {wants}") from None


def arguments(text: str) -> Any:
    """`4x5,3:int10,scalar` as the arguments of a function."""
    try:
        return user_functions.wanted(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: wants shapes such as 4x5,5x3 or scalar,4:positive,4:int10"
        ) from None


def words(text: str) -> list[str]:
    """`w,b` as a list of names."""
    return [name(one.strip()) for one in text.split(",")]


def parser() -> argparse.ArgumentParser:
    """All commands and their words."""
    root = Parser(
        prog="scratchgen",
        description="VAEs and GANs in plain NumPy, from training to samples.",
        epilog="Start with: scratchgen train vae",
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"scratchgen {__version__}")
    does = root.add_subparsers(metavar="COMMAND", dest="what", required=True)

    training = does.add_parser(
        "train",
        help="train a model and leave a run folder",
        epilog="scratchgen train MODEL --help lists what can be set.",
        allow_abbrev=False,
    )
    kinds = training.add_subparsers(metavar="MODEL", dest="model", required=True)
    for called, recipe in RECIPES.items():
        one = _command(kinds, called, train.train, recipe.text)
        _run_options(one, recipe)
        _optimizer_options(one)
        _model_options(one, recipe)

    sample = _command(does, "sample", look.sample, "draw new examples from a model")
    _model(sample, "RUN")
    sample.add_argument("-n", type=some, default=64, help="how many (64)")
    sample.add_argument("--seed", type=number(whole, int), help="of the draws (a fresh one)")
    label = "class of all of them, for a conditional model (each in turn)"
    sample.add_argument("--label", type=number(whole, int), metavar="K", help=label)
    sample.add_argument("--noise", action="store_true", help="draws of p(x|z), not its means")
    _output(sample, "samples.png")

    again = _command(
        does, "reconstruct", look.reconstruct, "data beside what a model makes of them"
    )
    _model(again, "RUN")
    again.add_argument("-n", type=some, default=50, help="how many (50)")
    again.add_argument(
        "--data", type=name, metavar="DATA", help="a name or path (what it learnt from)"
    )
    _output(again, "pairs.png")

    info = _command(does, "info", look.info, "what a model is, and how it was trained")
    _model(info, "RUN")

    inside = _command(does, "explain", explain.explain, "a model, layer by layer")
    _model(inside, "MODEL")
    shown = "a name or path: what happens in the model on these"
    inside.add_argument("--data", type=name, metavar="DATA", help=shown)
    inside.add_argument("-n", type=some, help=f"how many of them ({explain.EXAMPLES})")
    inside.add_argument("--seed", type=number(whole, int), help="of the choice (a fresh one)")

    _check_options(_command(does, "check", _check, "check backward passes"))

    _command(does, "warmup", _warmup, "compile all kernels now, before a first step waits for it")
    _bench_options(_command(does, "bench", _bench, "measure this machine, and us beside others"))

    sheet = _command(does, "data", look.look, "look at a data set")
    sheet.add_argument(
        "name", type=name, metavar="DATA", help=f"{', '.join(data.NAMES)}, a path, or -"
    )
    sheet.add_argument(
        "-n",
        type=some,
        default=100,
        help="how many (100)",
    )
    sheet.add_argument("--split", choices=("train", "test"), default="train", metavar="SPLIT")
    _output(sheet, "sheet.png")
    return root


def _command(does: Any, name: str, command: Callable[..., int], text: str) -> Any:
    made = does.add_parser(name, help=text, description=text, allow_abbrev=False)
    made.set_defaults(command=command, parser=made)
    return made


def _model(command: argparse.ArgumentParser, what: str) -> None:
    """The model that a command is of, and where its classes come from."""
    add = command.add_argument
    add("run", type=name, metavar=what, help="a run folder or a model file")
    own: dict[str, Any] = {"type": name, "action": "append", "default": [], "metavar": "MODULE"}
    text = "a module of yours that defines layers of the model; may be given more than once"
    add("--import", dest="modules", **own, help=text)


def _check(options: argparse.Namespace) -> int:
    """`scratchgen check`; the checker is imported for this command alone."""
    from . import check

    return check.check(options)


def _check_options(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Check backward passes against their forward passes: all that the library has, or a layer, "
        "network, loss, likelihood, optimizer or model, or two functions."
    )
    command.epilog = (
        "Two functions are f(*args) -> y and vjp(dy, *args), or forward(*args) -> (y, cache) and "
        "backward(dy, cache)."
    )
    add = command.add_argument
    what = "MODULE:NAME, MODULE:NAME() to call it, or MODULE:FORWARD,BACKWARD (the library)"
    add("subject", type=name, nargs="?", metavar="SUBJECT", help=what)
    add("--seed", type=number(whole, int), default=0, metavar="N", help="of what is drawn (0)")

    add = command.add_argument_group("the library").add_argument
    out = "where certificate.html and certificate.json go (here)"
    add("--out", type=name, metavar="FOLDER", help=out)
    add("--jit", action="store_true", default=None, help="check the compiled loops (needs numba)")

    add = command.add_argument_group("a subject").add_argument
    add("--x", type=shape, metavar="N,N", help="shape of a layer's input, its batch in front")
    modes = command.add_mutually_exclusive_group()
    for mode, value in (("training", True), ("evaluation", False)):
        text = f"check a layer in {mode} only (both)"
        modes.add_argument(
            f"--{mode}", dest="training", action="store_const", const=value, help=text
        )
    shapes = "of two functions: 4x5 or scalar, 4x5:positive, 3:int10 for whole numbers below 10"
    add("--args", type=arguments, metavar="SHAPE,SHAPE", help=shapes)
    kinds = "vjp or cached (the one that their parameters fit)"
    add("--kind", choices=user_functions.KINDS, metavar="KIND", help=kinds)
    names = "the arguments or parameters whose gradients are checked (all)"
    add("--wrt", type=words, metavar="NAME,NAME", help=names)
    axis = "the batch axis, where examples do not mix: checks that too"
    add("--batch-axis", type=number(whole, int), metavar="AXIS", help=axis)
    add("--seconds", type=positive, metavar="S", help="most that the check may take (10)")
    add("--json", type=name, metavar="FILE", help="write the report as JSON")
    add("--html", type=name, metavar="FILE", help="write the report as a page")
    add("--plot", type=name, metavar="FILE", help="draw the report: .png, .pdf or .svg")


def _warmup(options: argparse.Namespace) -> int:
    """`scratchgen warmup`; what it calls is imported for this command alone."""
    from .warm_up import warmup

    return warmup(options)


def _bench(options: argparse.Namespace) -> int:
    """`scratchgen bench`; what measures is imported for this command alone."""
    from . import benchmark

    return benchmark.bench(options)


def _bench_options(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Measure the machine, the kernels, and training through sg.fit beside torch, jax and "
        "tensorflow, where they are installed: each in a process of its own, in turns, on the "
        "same CPUs."
    )
    add = command.add_argument
    parts = ("machine", "products", "kernels", "decoding", "start", "shares", "steps")
    add("part", nargs="?", choices=parts, metavar="PART", help=f"{', '.join(parts)} (all)")
    add("--rounds", type=some, metavar="N", help="turns of each, of which the median counts (7)")
    threads = "threads, and CPUs, of each (2)"
    count = number(whole, int, least=1, most=MOST_THREADS)
    add("--threads", type=count, default=2, metavar="N", help=threads)
    add("--out", type=name, metavar="FOLDER", help="where bench.json and bench.png go (nowhere)")
    add("--quick", action="store_true", help="small sizes and two rounds, to see that it works")
    python = "an interpreter that has other tools; may be given more than once (this one)"
    add("--peers-python", type=name, action="append", metavar="PATH", help=python)


def _default(recipe: Recipe, key: str) -> str:
    """What `train` takes where it is not told: ` (40 for pictures, 20 for vectors)`."""
    return by_default(*(of.get(key, train.DEFAULTS[key]) for of in recipe.by_data))


def _run_options(model: argparse.ArgumentParser, recipe: Recipe) -> None:
    add = model.add_argument_group("the run").add_argument
    names = f"{', '.join(data.NAMES)}, a path, or - for standard input (digits)"
    add("--data", type=name, default="digits", metavar="DATA", help=names)
    divide = "what all numbers are divided by (255 for pictures of bytes above 16)"
    add("--divide-by", type=positive, metavar="N", help=divide)
    epochs = f"how often all data are seen{_default(recipe, 'epochs')}"
    add("--epochs", type=number(whole, int), metavar="N", help=epochs)
    size = f"examples a step{_default(recipe, 'batch_size')}"
    add("--batch-size", type=some, metavar="N", help=size)
    if "scaler" in recipe.takes:
        text = (
            "scale the columns of vectors, for the model alone: standard or min_max (as they are)"
        )
        add("--scale", choices=data.SCALERS, metavar="NAME", help=text)
    add("--seed", type=number(whole, int), metavar="N", help="the run's seed (a fresh one)")
    add("--out", type=name, metavar="FOLDER", help="where the run goes (runs/NAME-1, -2 ...)")
    written = "run each step as it is written, more slowly and to the same numbers, to follow it"
    add("--no-replay", dest="replay", action="store_false", default=None, help=written)


def _optimizer_options(model: argparse.ArgumentParser) -> None:
    add = model.add_argument_group("the optimizer").add_argument
    names, schedules = optimizer_options.OPTIMIZERS, optimizer_options.SCHEDULES
    own = f"{_names(names)}; with its own settings and rate, in place of the model's choice"
    add("--optimizer", choices=names, metavar="NAME", help=own)
    add("--momentum", type=number(fraction, float), metavar="M", help="of momentum and nesterov")
    add("--weight-decay", type=number(finite, float), metavar="W", help="of adamw")
    add(
        "--centred",
        action="store_true",
        default=None,
        help="rmsprop with the variance of gradients",
    )
    add("--lr", dest="learning_rate", type=positive, metavar="RATE", help="learning rate")
    add("--lr-schedule", choices=schedules, metavar="NAME", help=_names(schedules))
    add(
        "--lr-warm-up",
        type=some,
        metavar="STEPS",
        help="steps in which the rate rises to its value",
    )
    add("--clip-norm", type=positive, metavar="NORM", help="most that a gradient's norm may be")
    average = "average the weights, of which each step leaves this share, as 0.999"
    add("--average", type=number(fraction, float), metavar="KEEP", help=average)


def _model_options(model: argparse.ArgumentParser, recipe: Recipe) -> None:
    """What follows from the recipe, and from the fields of its family and of its parts."""
    group = model.add_argument_group("the model")
    for option in options_of(recipe):
        _setting(group.add_argument, option)
    if "n_labels" in recipe.takes and not recipe.needs_labels:
        text = "tell the model the labels of the data"
        group.add_argument("--conditional", action="store_true", help=text)


def _setting(add: Callable[..., Any], option: Option) -> None:
    """One option, whose values are those of its field's type that pass its check."""
    word, more = f"--{option.name}", {"dest": option.key, "help": option.text.replace("%", "%%")}
    about = option.field.metadata
    if option.choices:
        names = [*option.choices, *([NONE] if option.may_be_none else [])]
        add(word, type=in_any_case(names), choices=names, metavar="NAME", **more)
    elif option.kind is bool:
        add(word, action=argparse.BooleanOptionalAction, **more)
    elif option.kind is tuple:
        add(word, type=widths, metavar="N,N", **more)
    else:
        kind: Any = option.kind
        if about.get("check"):
            kind = number(about["check"], kind, **about["bounds"])
        add(word, type=kind, metavar=METAVARS[option.kind], **more)


def in_any_case(names: list[str]) -> Callable[[str], str]:
    """An argparse type: a word that is one of the names, but for its case, becomes that name."""

    def parse(word: str) -> str:
        return word.lower() if word not in names and word.lower() in names else word

    return parse


def _output(command: argparse.ArgumentParser, default: str) -> None:
    text = f".png, .pdf, .svg or .npy ({default})"
    command.add_argument("-o", "--out", type=name, default=default, metavar="FILE", help=text)


def _names(known: Any) -> str:
    return ", ".join(known)
