"""What `scratchgen check` does: it writes the library's certificate, or checks one subject.

    scratchgen check                                             the library
    scratchgen check Softsign                                    a part of the library
    scratchgen check layers:Scale --x 4,5                        a layer, a loss, a model ...
    scratchgen check layers:forward,backward --args 4x5,5x3      two functions

The last line counts verdicts. The exit code is 0 when none of them is FAIL, and 1 otherwise.
"""

import argparse
import datetime
import inspect
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
from ..ground.printing import overwrite_line, stderr_is_terminal, to_stdout
from ..ground.rng import stream
from ..ground.versions import require
from ..ground.writing import expect_writable
from ..nn import Layer
from . import user_functions, user_objects
from .folders import make_folder
from .library_names import find_part

TITLE = "Gradients of scratchgen"
PICTURES = (".png", ".pdf", ".svg")

# Options by their names in the namespace, for each use of the command.
LIBRARY_ONLY = {"jit": "--jit", "out": "--out"}
SUBJECT_ONLY = {"x": "--x", "training": "--training or --evaluation"}
FUNCTIONS_ONLY = {"args": "--args", "kind": "--kind"}
NAMED_ONLY = {
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
    """Check the library, or the named subject; returns 1 if a verdict is FAIL."""
    if options.subject is None:
        _refuse(options, NAMED_ONLY, "name a subject too, as Softsign or layers:Scale")
        reports = check_library(options)
    else:
        _refuse(options, LIBRARY_ONLY, "it is for the whole library, so name no subject")
        reports = [check_named(options)]
        _show(f"{reports[0]}\n{counts_line(reports)}")
    return 1 if any(report.verdict == FAIL for report in reports) else 0


def check_library(options: argparse.Namespace) -> list[Report]:
    """Check the whole library; writes the certificate as a page and as JSON, and prints a table."""
    folder = user_path("." if options.out is None else options.out)
    make_folder(folder)
    page, record = folder / "certificate.html", folder / "certificate.json"
    for path in (page, record):
        expect_writable(path, "name another folder with --out")
    if options.jit:
        require("numba", "--jit")
    began = time.perf_counter()
    progress = _progress if stderr_is_terminal() else None
    reports = certify(seed=options.seed, jit=bool(options.jit), progress=progress)
    facts = _facts(reports, options, time.perf_counter() - began)
    written(certificate_page(reports, TITLE, facts), page)
    written(certificate_json(reports, facts), record)
    _show(f"certificate.html and certificate.json are in {folder}\n")
    _show(certificate_table(reports))
    return reports


def _progress(report: Report) -> None:
    """Show what was checked last, on one line of the terminal that is overwritten each time."""
    overwrite_line(f"{report.kind} {report.subject}")


def _facts(reports: list[Report], options: argparse.Namespace, seconds: float) -> dict[str, str]:
    """The date, command, cost and versions of a certificate."""
    forward = sum(report.forward_calls for report in reports)
    backward = sum(report.backward_calls for report in reports)
    return {
        "date": datetime.date.today().isoformat(),
        "command": f"scratchgen check --seed {options.seed}{' --jit' if options.jit else ''}",
        "cost": calls(forward, backward, seconds),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }


def check_named(options: argparse.Namespace) -> Report:
    """Check the named subject or two functions, and write the report to the files in options."""
    for path in (options.json, options.html, options.plot):
        if path is not None and not user_path(path).parent.is_dir():
            raise FileError(f"there is no folder {user_path(path).parent}: make it first")
        if path is not None:
            expect_writable(user_path(path), "name another file")
    if options.plot is not None:
        if user_path(options.plot).suffix not in PICTURES:
            raise OptionError(f"--plot {options.plot}: wants a name that ends in .png, .pdf, .svg")
        require("matplotlib", f"drawing {options.plot}")
    objects = _objects(options.subject)
    if len(objects) > 2:
        raise OptionError(f"{options.subject}: wants one name, or forward,backward")
    try:
        if len(objects) == 2:
            report = check_functions(objects[0], objects[1], options)
        else:
            report = check_subject(objects[0], options)
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


def _objects(word: str) -> list[Any]:
    """The part of the library, or the objects of the user's, that the word names."""
    if ":" in word:
        return user_objects.find(word)
    user_objects.expect_no_file(word, ":NAME")
    return [find_part(word)]


def check_subject(subject: Any, options: argparse.Namespace) -> Report:
    """Check a layer, a loss, a model ..., or its class.

    A class of layers is checked at its own examples. With --x, or for any other class, an object of
    it is made without arguments.
    """
    _refuse(options, FUNCTIONS_ONLY, "it is for two functions, as layers:forward,backward")
    word = options.subject
    if isinstance(subject, type):
        has_examples = issubclass(subject, Layer) and _has_own_example(subject)
        if user_functions.needs_arguments(subject) and not (has_examples and options.x is None):
            advice = "leave --x out, or " if has_examples else ""
            module = word.partition(":")[0] if ":" in word else "layers"
            raise OptionError(
                f"{subject.__name__} cannot be made without arguments: {advice}write a function "
                f"that makes one, and check {module}:make()"
            )
        if options.x is not None or not issubclass(subject, Layer):
            subject = user_objects.call(subject, word)
    elif inspect.isfunction(subject):
        raise OptionError(
            f"{word} is a function: name its backward pass too, as {word},backward; or, to check "
            f"the object that it returns, {word}()"
        )
    return gradcheck.check(subject, options.x, training=options.training, **_shared(options))


def _has_own_example(kind: type[Layer]) -> bool:
    """Whether the class defines `example`; the default fits classes without settings alone."""
    return getattr(kind.example, "__func__", None) is not getattr(Layer.example, "__func__", None)


def check_functions(forward: Any, backward: Any, options: argparse.Namespace) -> Report:
    """Check two functions of the user's."""
    _refuse(options, SUBJECT_ONLY, "two functions take --args, as --args 4x5,5x3")
    if options.args is None:
        raise OptionError("two functions need the shapes of their arguments: --args 4x5,5x3")
    rng = stream(options.seed, "arguments")
    args = tuple(argument.draw(rng) for argument in options.args)
    kind = options.kind or user_functions.kind_of(forward, backward, args)
    _show(f"checked as {user_functions.KINDS[kind]} (--kind {kind})")
    check = gradcheck.check_pair if kind == "vjp" else gradcheck.check_cached
    return check(forward, backward, args, **_shared(options))


def _shared(options: argparse.Namespace) -> dict[str, Any]:
    """The options that all checks have in common."""
    seconds = {} if options.seconds is None else {"seconds": options.seconds}
    return {
        "wrt": options.wrt,
        "batch_axis": options.batch_axis,
        "seed": options.seed,
        **seconds,
    }


def _refuse(options: argparse.Namespace, refused: dict[str, str], advice: str) -> None:
    """OptionError for an option that does not go with this use of the command."""
    for key, word in refused.items():
        if getattr(options, key) is not None:
            raise OptionError(f"{word} does not go with this: {advice}")


def _show(text: str) -> None:
    """Print the text line by line."""
    to_stdout(*text.split("\n"))
