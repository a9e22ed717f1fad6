"""The pytest fixture `gradcheck`: a wrong backward pass fails the test, with a report.

    def test_backward(gradcheck):
        gradcheck(Scale(), x=(4, 5))
        gradcheck.pair(f, vjp, args=(x, w))

pytest loads this file wherever scratchgen is installed (`-p no:scratchgen` turns it off). Nothing
but pytest is imported until a test uses the fixture. The fixture has the scope of the session, so
that tests with arguments from Hypothesis can use it.
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
    """What tests get as `gradcheck`. Its methods return the report if the verdict is PASS.

    FAIL fails the test. INCONCLUSIVE warns or, with strict=True or --gradcheck-strict, fails it,
    too. Other options are those of the functions in scratchgen.gradcheck. Without seconds= the
    budget counts evaluations, so that a busy machine changes no verdict.
    """

    def __init__(self, seed: int, strict: bool, pictures: Path | None) -> None:
        self.seed, self.strict, self.pictures = seed, strict, pictures
        self.paths: dict[str, Path] = {}  # the picture of each test and subject

    def __call__(self, subject: Any, x: Any = None, **options: Any) -> "Report":
        """Check a layer, network, likelihood, game, penalty, optimizer, model, or drawn case."""
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

    def _check(self, name: str, *args: Any, strict: bool | None = None, **options: Any) -> "Report":
        """Run a check, fail the test or warn if it does not pass, and return the report."""
        __tracebackhide__ = True
        from .. import gradcheck

        report: Report = getattr(gradcheck, name)(
            *args, **{"seed": self.seed, "seconds": None, **options}
        )
        self._draw(report)
        strict = self.strict if strict is None else strict
        if report.verdict == "FAIL" or (strict and not report.ok):
            pytest.fail(str(report))  # the frames of this file are hidden: see __tracebackhide__
        if not report.ok:
            warnings.warn(str(report), gradcheck.InconclusiveWarning, stacklevel=3)
        return report

    def _draw(self, report: "Report") -> None:
        """Draw reports that do not pass, and the first report of each subject in a test."""
        if self.pictures is None:
            return
        text = f"{current_test()} {report.subject}"
        is_new = text not in self.paths
        if is_new:
            self.paths[text] = self._unused(text)
        if is_new or not report.ok:
            report.plot(self.paths[text])

    def _unused(self, text: str) -> Path:
        """A path for a picture, named after `text`, that no other picture has."""
        assert self.pictures is not None
        plain = re.sub(r"[^\w.=+-]+", "-", text, flags=re.ASCII).strip("-.")[:LONGEST]
        names = (f"{plain}{f'-{number}' if number else ''}.png" for number in itertools.count())
        taken = set(self.paths.values())
        return next(path for name in names if (path := self.pictures / name) not in taken)


def current_test() -> str:
    """The id of the running test, such as tests/test_scale.py::test_backward."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the fixture."""
    group = parser.getgroup("gradcheck", "checks of backward passes (scratchgen)")
    group.addoption(
        "--gradcheck-seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of random draws (default: 0)",
    )
    group.addoption(
        "--gradcheck-pictures",
        metavar="DIR",
        help="draw pictures of the checks into this folder (needs matplotlib)",
    )
    group.addoption("--gradcheck-strict", action="store_true", help="INCONCLUSIVE fails a test too")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot work, before any test runs."""
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
    """The folder of pictures; a test may have changed the current folder since pytest began."""
    return Path(config.invocation_params.dir, config.getoption("gradcheck_pictures"))


@pytest.fixture(scope="session")
def gradcheck(request: pytest.FixtureRequest) -> Gradcheck:
    """Check backward passes: gradcheck(layer, x=(4, 5)), gradcheck.pair(f, vjp, args)."""
    config = request.config
    pictures = None if config.getoption("gradcheck_pictures") is None else _folder(config)
    seed, strict = config.getoption("gradcheck_seed"), config.getoption("gradcheck_strict")
    return Gradcheck(seed, strict, pictures)
