"""The fixture `gradcheck` for pytest: a backward pass that is wrong fails the test, in plain words.

    def test_backward(gradcheck):
        gradcheck(Scale(), x=(4, 5))
        gradcheck.pair(f, vjp, args=(x, w))

pytest finds this file by itself where scratchgen is installed (`-p no:scratchgen` leaves it out).
Nothing but pytest is imported before a test asks for the fixture. The fixture lives as long as the
session, so that tests whose arguments Hypothesis draws may use it.
"""

import itertools
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..gradcheck.reports.report import Report

LONGEST = 120  # letters in the name of a picture


class Gradcheck:
    """What tests get as `gradcheck`. Its methods give the report where the verdict is PASS.

    FAIL fails the test; INCONCLUSIVE warns, or, with strict=True or --gradcheck-strict, fails it
    too. Further options are those of the functions of the same name; without seconds= evaluations
    are counted, so that a busy machine changes no verdict.
    """

    def __init__(self, seed: int, strict: bool, pictures: Path | None) -> None:
        self.seed, self.strict, self.pictures = seed, strict, pictures
        self.paths: dict[str, Path] = {}  # what is drawn in which picture

    def __call__(self, subject: Any, x: Any = None, **options: Any) -> "Report":
        """Check a layer, network, loss, likelihood, optimizer, model, or a drawn case."""
        __tracebackhide__ = True
        return self._check("check", subject, x, **options)

    def pair(self, f: Any, vjp: Any, args: Any, **options: Any) -> "Report":
        """Check f(*args) -> y and vjp(dy, *args) -> gradients."""
        __tracebackhide__ = True
        return self._check("check_pair", f, vjp, args, **options)

    def cached(self, forward: Any, backward: Any, args: Any, **options: Any) -> "Report":
        """Check forward(*args) -> (y, cache) and backward(dy, cache) -> gradients."""
        __tracebackhide__ = True
        return self._check("check_cached", forward, backward, args, **options)

    def second_order(self, layer: Any, x: Any = None, **options: Any) -> "Report":
        """Check a layer's tangent and tangent_backward."""
        __tracebackhide__ = True
        return self._check("check_second_order", layer, x, **options)

    def optimizer(self, optimizer: Any, **options: Any) -> "Report":
        """Check the steps of an optimizer."""
        __tracebackhide__ = True
        return self._check("check_optimizer", optimizer, **options)

    def _check(
        self, name: str, *given: Any, strict: bool | None = None, **options: Any
    ) -> "Report":
        """The report of a check, once the test has been told of its verdict."""
        __tracebackhide__ = True
        from .. import gradcheck

        report: Report = getattr(gradcheck, name)(
            *given, **{"seed": self.seed, "seconds": None, **options}
        )
        self._draw(report)
        strict = self.strict if strict is None else strict
        if report.verdict == "FAIL" or (strict and not report.ok):
            pytest.fail(str(report))  # the frames of this file are hidden: see __tracebackhide__
        if not report.ok:
            warnings.warn(str(report), gradcheck.InconclusiveWarning, stacklevel=3)
        return report

    def _draw(self, report: "Report") -> None:
        """A picture of what does not pass, and of the first report of each subject in a test."""
        if self.pictures is None:
            return
        text = f"{current_test()} {report.subject}"
        is_new = text not in self.paths
        if is_new:
            self.paths[text] = self._unused(text)
        if is_new or not report.ok:
            report.plot(self.paths[text])

    def _unused(self, text: str) -> Path:
        """A path for the picture of what `text` names, that no other picture has."""
        assert self.pictures is not None
        plain = re.sub(r"[^\w.=+-]+", "-", text, flags=re.ASCII).strip("-.")[:LONGEST]
        names = (f"{plain}{f'-{number}' if number else ''}.png" for number in itertools.count())
        taken = set(self.paths.values())
        return next(path for name in names if (path := self.pictures / name) not in taken)


def current_test() -> str:
    """The id of the test that runs, as tests/test_scale.py::test_backward."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the fixture."""
    group = parser.getgroup("gradcheck", "checks of backward passes (scratchgen)")
    group.addoption(
        "--gradcheck-seed", type=int, default=0, metavar="N", help="seed of what is drawn (0)"
    )
    group.addoption(
        "--gradcheck-pictures",
        metavar="DIR",
        help="draw the checks, as pictures in this folder; needs matplotlib",
    )
    group.addoption("--gradcheck-strict", action="store_true", help="INCONCLUSIVE fails a test too")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be followed before any test runs."""
    seed, pictures = config.getoption("gradcheck_seed"), config.getoption("gradcheck_pictures")
    if seed < 0:
        raise pytest.UsageError(f"--gradcheck-seed {seed}: wants a whole number of at least 0")
    if pictures is None:
        return
    from ..ground.versions import require

    try:
        require("matplotlib", "--gradcheck-pictures")
        _folder(config).mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        text = f"the folder {pictures} cannot be made ({problem.strerror})"
        raise pytest.UsageError(f"--gradcheck-pictures: {text}") from problem
    except ImportError as problem:
        raise pytest.UsageError(str(problem)) from problem


def _folder(config: pytest.Config) -> Path:
    """Where pictures go; a test may have changed the current folder since pytest began."""
    return Path(config.invocation_params.dir, config.getoption("gradcheck_pictures"))


@pytest.fixture(scope="session")
def gradcheck(request: pytest.FixtureRequest) -> Gradcheck:
    """Check backward passes: gradcheck(layer, x=(4, 5)), gradcheck.pair(f, vjp, args)."""
    config = request.config
    pictures = None if config.getoption("gradcheck_pictures") is None else _folder(config)
    seed, strict = config.getoption("gradcheck_seed"), config.getoption("gradcheck_strict")
    return Gradcheck(seed, strict, pictures)
