"""What `scratchgen check` does: the whole library's certificate, or a check of something else.

    scratchgen check                                             the library
    scratchgen check layers:Scale --x 4,5                        a layer, a loss, a model ...
    scratchgen check layers:forward,backward --args 4x5,5x3      two functions

The last line counts verdicts. The exit code is 0 when none of them is FAIL, and 1 otherwise.
"""

import argparse
import datetime
import inspect
import sys
import time
from typing import Any

from .. import gradcheck
from ..gradcheck.certificate import certify
from ..gradcheck.pairs.exception_texts import exception_text
from ..gradcheck.reports.markup import written
from ..gradcheck.reports.pages import (
    certificate_json,
    certificate_page,
    certificate_table,
    counts_line,
)
from ..gradcheck.reports.plain import versions
from ..gradcheck.reports.report import Report
from ..gradcheck.reports.wording import calls
from ..gradcheck.results import FAIL
from ..ground.arguments import user_path
from ..ground.errors import FileError, OptionError
from ..ground.printing import overwrite_line, to_stdout
from ..ground.rng import stream
from ..ground.versions import require
from ..ground.writing import expect_writable
from . import user_functions, user_objects

TITLE = "Gradients of scratchgen"
PICTURES = (".png", ".pdf", ".svg")

# the words of the command line that go with one use of it only
LIBRARY_ONLY = {"jit": "--jit", "out": "--out"}
SUBJECT_ONLY = {"x": "--x", "training": "--training or --evaluation"}
FUNCTIONS_ONLY = {"args": "--args", "kind": "--kind"}
ONE_ONLY = {
    **SUBJECT_ONLY,
    **FUNCTIONS_ONLY,
    "wrt": "--wrt",
    "batch_axis": "--batch-axis",
    "seconds": "--seconds",
    "json": "--json",
    "html": "--html",
    "plot": "--plot",
}


def check(options: argparse.Namespace) -> int:
    """Check the library, or what was named; 1 where something is FAIL."""
    if options.subject is None:
        _refuse(options, ONE_ONLY, "name what to check too, as layers:Scale")
        reports = library(options)
    else:
        _refuse(options, LIBRARY_ONLY, "it is of the library, which is checked without a name")
        reports = [one(options)]
        _show(f"{reports[0]}\n{counts_line(reports)}")
    return 1 if any(report.verdict == FAIL for report in reports) else 0


def library(options: argparse.Namespace) -> list[Report]:
    """Check all that the library has: a table, and the certificate as a page and as JSON."""
    folder = user_path("." if options.out is None else options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise FileError(
            f"the folder {folder} cannot be made ({problem.strerror}): name another with --out"
        ) from problem
    page, record = folder / "certificate.html", folder / "certificate.json"
    for path in (page, record):
        expect_writable(path, "name another folder with --out")
    if options.jit:
        require("numba", "--jit")
    began = time.perf_counter()
    progress = _progress if sys.stderr is not None and sys.stderr.isatty() else None
    reports = certify(seed=options.seed, jit=bool(options.jit), progress=progress)
    facts = _facts(reports, options, time.perf_counter() - began)
    written(certificate_page(reports, TITLE, facts), page)
    written(certificate_json(reports, facts), record)
    _show(f"certificate.html and certificate.json are in {folder}\n")
    _show(certificate_table(reports))
    return reports


def _progress(report: Report) -> None:
    """What was checked last, on a line of the terminal that the next one overwrites."""
    overwrite_line(f"{report.kind} {report.subject}")


def _facts(reports: list[Report], options: argparse.Namespace, seconds: float) -> dict[str, str]:
    """What the certificate rests on."""
    forward = sum(report.forward_calls for report in reports)
    backward = sum(report.backward_calls for report in reports)
    return {
        "date": datetime.date.today().isoformat(),
        "command": f"scratchgen check --seed {options.seed}{' --jit' if options.jit else ''}",
        "cost": calls(forward, backward, seconds),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }


def one(options: argparse.Namespace) -> Report:
    """The report of one thing of the user's, or of two functions; also written where asked."""
    for path in (options.json, options.html, options.plot):
        if path is not None and not user_path(path).parent.is_dir():
            raise FileError(f"there is no folder {user_path(path).parent}: make it first")
        if path is not None:
            expect_writable(user_path(path), "name another file")
    if options.plot is not None:
        if user_path(options.plot).suffix not in PICTURES:
            raise OptionError(f"--plot {options.plot}: wants a name that ends in .png, .pdf, .svg")
        require("matplotlib", f"drawing {options.plot}")
    found = user_objects.find(options.subject)
    if len(found) > 2:
        raise OptionError(f"{options.subject}: wants one name, or forward,backward")
    try:
        two = len(found) == 2
        report = of_functions(found[0], found[1], options) if two else of(found[0], options)
    except SystemExit as problem:
        raise FileError(exception_text(problem, options.subject)) from problem
    for path, write in (
        (options.json, report.to_json),
        (options.html, report.to_html),
        (options.plot, report.plot),
    ):
        if path is not None:
            write(user_path(path))
    return report


def of(subject: Any, options: argparse.Namespace) -> Report:
    """The report of a layer, a loss, a model ..., or of the class of one."""
    _refuse(options, FUNCTIONS_ONLY, "it is of two functions, as layers:forward,backward")
    word = options.subject
    if isinstance(subject, type):
        if user_functions.needs_arguments(subject):
            raise OptionError(
                f"{subject.__name__} cannot be made without arguments: write a function that makes "
                f"one, and check {word.partition(':')[0]}:make()"
            )
        subject = user_objects.made(subject, word)
    elif inspect.isfunction(subject):
        raise OptionError(
            f"{word} is a function: name its backward pass too, as {word},backward; or, for what "
            f"it makes, {word}()"
        )
    return gradcheck.check(subject, options.x, training=options.training, **_shared(options))


def of_functions(forward: Any, backward: Any, options: argparse.Namespace) -> Report:
    """The report of two functions of the user's."""
    _refuse(options, SUBJECT_ONLY, "two functions take --args, as --args 4x5,5x3")
    if options.args is None:
        raise OptionError("two functions need the shapes of their arguments: --args 4x5,5x3")
    rng = stream(options.seed, "arguments")
    args = tuple(one.draw(rng) for one in options.args)
    kind = options.kind or user_functions.kind_of(forward, backward, args)
    _show(f"checked as {user_functions.KINDS[kind]} (--kind {kind})")
    check = gradcheck.check_pair if kind == "vjp" else gradcheck.check_cached
    return check(forward, backward, args, **_shared(options))


def _shared(options: argparse.Namespace) -> dict[str, Any]:
    """The options that all checks take."""
    seconds = {} if options.seconds is None else {"seconds": options.seconds}
    return {
        "wrt": options.wrt,
        "batch_axis": options.batch_axis,
        "seed": options.seed,
        **seconds,
    }


def _refuse(options: argparse.Namespace, words: dict[str, str], advice: str) -> None:
    """OptionError for an option that does not go with this use of the command."""
    for key, word in words.items():
        if getattr(options, key) is not None:
            raise OptionError(f"{word} does not go with this: {advice}")


def _show(text: str) -> None:
    """Print it, with nothing that a terminal would obey."""
    to_stdout(*text.split("\n"))
