"""The pytest fixture `gradcheck`: what passes, fails and warns, its options, and what it costs."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest

import scratchgen as sg
from scratchgen import gradcheck
from scratchgen.command import pytest_plugin
from scratchgen.ground.versions import is_installed

# Imported before the runs within this one, which forget what they import.
IMPORTED = [gradcheck, sg.plots if is_installed("matplotlib") else None]
pytest_plugins = "pytester"
ROOT = Path(__file__).parents[2]
MINE = "scratchgen.command.pytest_plugin"
INSTALLED = any(entry.value == MINE for entry in entry_points(group="pytest11"))

TESTS = """
import numpy as np
import pytest
import scratchgen as sg

x, w = np.linspace(-1, 1, 20).reshape(4, 5), np.linspace(0.5, 2, 15).reshape(5, 3)

def f(x, w): return x @ w
def vjp(dy, x, w): return dy @ w.T, x.T @ dy
def wrong(dy, x, w): return dy @ w.T, -(x.T @ dy)
def forward(x, w): return x @ w, (x, w)
def backward(dy, cache): return vjp(dy, *cache)
def unsure(dy, x): return dy
def random(x): return x + np.random.default_rng().standard_normal(x.shape)

def test_right(gradcheck):
    assert gradcheck(sg.nn.Dense(5, 3), x=(4, 5)).ok
    assert gradcheck.pair(f, vjp, args=(x, w)).ok
    assert gradcheck.cached(forward, backward, (x, w), wrt="w").ok
    assert gradcheck.second_order(sg.nn.Tanh(), x=(4, 5)).ok
    assert gradcheck.optimizer(sg.optim.Adam(1e-3)).ok

@pytest.mark.parametrize("name", ["a/b:c"])
def test_wrong(gradcheck, name):
    gradcheck.pair(f, wrong, args=(x, w))

def test_unsure(gradcheck):
    assert gradcheck.pair(random, unsure, args=(x,)).verdict == "INCONCLUSIVE"

def test_strict(gradcheck):
    gradcheck.pair(random, unsure, args=(x,), strict=True)

def test_seed(gradcheck):
    print("seeds", gradcheck.pair(f, vjp, (x, w)).seed, gradcheck.pair(f, vjp, (x, w), seed=9).seed)
"""


@pytest.fixture
def run(pytester):
    """Run a test file with the plugin."""
    plugin = ["-W", "default", *([] if INSTALLED else ["-p", MINE])]

    def start(source, *options):
        pytester.makepyfile(test_own=source)
        pytester.syspathinsert(ROOT)
        return pytester.runpytest_inprocess(*plugin, *options)

    return start


def test_the_fixture_passes_fails_and_warns_as_the_report_says(run):
    result = run(TESTS, "-rf")
    result.assert_outcomes(passed=3, failed=2)
    text = result.stdout.str()
    assert "InconclusiveWarning" in text
    assert "FAIL" in text
    assert "pytest_plugin.py" not in text  # no line of ours in what a user reads
    assert "Traceback" not in text


def test_strict_turns_inconclusive_into_a_failure(run):
    result = run(TESTS, "--gradcheck-strict", "-k", "unsure or right")
    result.assert_outcomes(passed=1, failed=1)


def test_the_seed_of_the_command_line_is_that_of_the_checks(run):
    result = run(TESTS, "--gradcheck-seed", "17", "-k", "seed", "-s")
    result.stdout.fnmatch_lines(["*seeds 17 9*"])
    result = run(TESTS, "-k", "seed", "-s")
    result.stdout.fnmatch_lines(["*seeds 0 9*"])


@pytest.mark.skipif(not is_installed("matplotlib"), reason="matplotlib is not installed")
def test_pictures_go_into_a_folder_under_the_name_of_their_test(run, pytester):
    options = ("--gradcheck-pictures", "new/pictures", "-k", "wrong or seed")
    run(TESTS, *options).assert_outcomes(passed=1, failed=1)
    names = sorted(path.name for path in (pytester.path / "new" / "pictures").iterdir())
    assert names == ["test_own.py-test_seed-f.png", "test_own.py-test_wrong-a-b-c-f.png"]


def test_options_that_cannot_be_followed_are_refused_before_any_test_runs(run, pytester):
    (pytester.path / "taken").write_text("")
    for option, value in (("--gradcheck-pictures", "taken"), ("--gradcheck-seed", "-1")):
        result = run(TESTS, option, value)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: *{option}*"])


def test_pictures_without_matplotlib_name_it(run, monkeypatch):
    monkeypatch.setattr("scratchgen.ground.versions.is_installed", lambda package: False)
    result = run(TESTS, "--gradcheck-pictures", "here")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pip install matplotlib*"])


def test_tests_that_hypothesis_draws_may_use_the_fixture(run):
    source = """
from hypothesis import Phase, given, settings
from scratchgen.gradcheck.strategies import layer_cases
from scratchgen.nn import Dense, Tanh

quick = settings(max_examples=3, deadline=None, phases=[Phase.generate])

class Wrong(Tanh):
    def backward(self, p, dy, tape, g=None, need_dx=True):
        dx = super().backward(p, dy, tape, g, need_dx)
        return None if dx is None else 2 * dx

@quick
@given(case=layer_cases(Dense(3, 2), (3,)))
def test_right(gradcheck, case):
    gradcheck(case)

@quick
@given(case=layer_cases(Wrong(), (3,)))
def test_wrong(gradcheck, case):
    gradcheck(case)
"""
    result = run(source)
    result.assert_outcomes(passed=1, failed=1)
    assert "LayerCase(Wrong()" in result.stdout.str()


def test_the_name_of_a_picture_is_safe_and_its_own(tmp_path, monkeypatch):
    fixture = pytest_plugin.Gradcheck(0, False, tmp_path)
    drawn = []
    for test in ("a.py::t[../x]", "a.py::t[?.. x]", "a.py::t[../x]", "a.py::t" + "x" * 500):
        monkeypatch.setenv("PYTEST_CURRENT_TEST", f"{test} (call)")
        report = SimpleNamespace(subject="Dense(3 -> 2)", ok=False, plot=drawn.append)
        fixture._draw(report)
    assert drawn[0] == drawn[2]
    assert len(set(drawn)) == 3
    assert all(path.parent == tmp_path and len(path.name) < 140 for path in drawn)


def test_a_report_that_passes_is_drawn_once_per_test(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "a.py::t (call)")
    fixture = pytest_plugin.Gradcheck(0, False, tmp_path)
    drawn = []
    for ok in (True, True, False, False, True):
        fixture._draw(SimpleNamespace(subject="f", ok=ok, plot=drawn.append))
    assert len(drawn) == 3


def test_without_a_use_of_the_fixture_only_the_front_door_is_imported():
    code = f"""
import sys, pytest
before = set(sys.modules)
import {MINE}
print(sorted(set(sys.modules) - before))
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, cwd=os.sep)
    assert done.stdout.strip() == f"['scratchgen', 'scratchgen.command', '{MINE}']", done.stderr


def test_pytest_finds_the_plugin_and_the_library_does_not_need_pytest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"scratchgen": MINE}
    required = [*project["dependencies"], *project["optional-dependencies"]["all"]]
    assert not any("pytest" in package for package in required)
