"""The options of `scratchgen check`: for the library, for one subject, for two functions."""

import argparse
from typing import Any

from . import user_functions
from .option_types import integer, name, names, positive, shape


def add_check_options(command: argparse.ArgumentParser) -> None:
    """Add the subject and the options, in groups that say what they go with."""
    command.description = (
        "Check backward passes against their forward passes: those of the whole library, of one "
        "layer, network, likelihood, game, penalty, optimizer or model, or of two functions."
    )
    command.epilog = (
        "Two functions are f(*args) -> y and vjp(dy, *args), or forward(*args) -> (y, cache) and "
        "backward(dy, cache). A class of layers is checked at its own examples (Layer.example), or "
        "with --x at that shape."
    )
    add = command.add_argument
    subject = (
        "a name of the library in any case, such as Softsign, gaussian, hinge, r1 or adam; or of "
        "your own MODULE:NAME, MODULE:NAME() to call it, or MODULE:FORWARD,BACKWARD (default: the "
        "whole library)"
    )
    add("subject", type=name, nargs="?", metavar="SUBJECT", help=subject)
    seed = "seed of all random draws (default: 0)"
    add("--seed", type=integer, default=0, metavar="N", help=seed)

    add = command.add_argument_group("for the library").add_argument
    out = "folder for certificate.html and certificate.json (default: the current folder)"
    add("--out", type=name, metavar="FOLDER", help=out)
    jit = "check the compiled loops (needs numba)"
    add("--jit", action="store_true", default=None, help=jit)

    _add_one_subject(command.add_argument_group("for one subject"))

    add = command.add_argument_group("for two functions").add_argument
    args = (
        "shapes of their arguments: 4x5, scalar, 4x5:positive, or 3:int10 for whole numbers below "
        "10"
    )
    add("--args", type=arguments, metavar="SHAPE,SHAPE", help=args)
    kind = "vjp or cached (default: the one that fits their parameters)"
    add("--kind", choices=user_functions.KINDS, metavar="KIND", help=kind)


def _add_one_subject(group: Any) -> None:
    add = group.add_argument
    add("--x", type=shape, metavar="N,N", help="shape of the input, which begins with the batch")
    modes = group.add_mutually_exclusive_group()
    for mode, value in (("training", True), ("evaluation", False)):
        text = f"check a layer in {mode} only (default: in both modes)"
        modes.add_argument(
            f"--{mode}", dest="training", action="store_const", const=value, help=text
        )
    wrt = "arguments or parameters whose gradients are checked (default: all)"
    add("--wrt", type=names, metavar="NAME,NAME", help=wrt)
    axis = "axis of the batch; checks that its examples do not mix, too"
    add("--batch-axis", type=integer, metavar="AXIS", help=axis)
    seconds = "longest time that the check may take (default: 10)"
    add("--seconds", type=positive, metavar="S", help=seconds)
    add("--json", type=name, metavar="FILE", help="write the report as JSON")
    add("--html", type=name, metavar="FILE", help="write the report as a web page")
    add("--plot", type=name, metavar="FILE", help="draw the report: .png, .pdf or .svg")


def arguments(text: str) -> Any:
    """`4x5,3:int10,scalar` as the arguments of a function."""
    try:
        return user_functions.drawn_arguments(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: wants shapes such as 4x5,5x3 or scalar,4:positive,4:int10"
        ) from None
