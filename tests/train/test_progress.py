"""Progress: a bar on a terminal and in a notebook, lines elsewhere."""

import io
import sys
from types import ModuleType, SimpleNamespace

import pytest

import scratchgen as sg
from scratchgen.train import progress

INSTALLED = {"tqdm", "ipywidgets"}


class Bar:
    """What Progress needs of tqdm's bar."""

    def __init__(self, **settings):
        self.settings, self.updates, self.postfix, self.is_closed = settings, 0, "", False
        BARS.append(self)

    def set_postfix_str(self, text, refresh):
        self.postfix = text

    def update(self):
        self.updates += 1

    def close(self):
        self.is_closed = True


BARS: list[Bar] = []


@pytest.fixture(autouse=True)
def fake_tqdm(monkeypatch):
    """tqdm and its notebook bar, on a stream that is no terminal, outside of any notebook."""
    BARS.clear()
    for name in ("tqdm", "tqdm.notebook"):
        module = ModuleType(name)
        module.tqdm = Bar
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    only_installed(monkeypatch, INSTALLED)


def only_installed(monkeypatch, packages) -> None:
    monkeypatch.setattr(progress, "is_installed", lambda package: package in packages)


def in_a_kernel(monkeypatch, application="IPKernelApp") -> None:
    """An IPython shell that this application runs."""
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(config={application: {}})
    monkeypatch.setitem(sys.modules, "IPython", ipython)


def train(points) -> None:
    model = sg.models.vae((2,), latent=2, hidden=(4,), rng=0)
    sg.fit(model, points, epochs=3, batch_size=100, seed=0, progress=True)


def test_in_a_notebook_it_is_tqdms_notebook_bar(points, monkeypatch, capsys):
    in_a_kernel(monkeypatch)
    train(points)
    (bar,) = BARS
    assert bar.settings == {"total": 9, "initial": 0, "mininterval": 0.2}  # as wide as the cell
    assert (bar.updates, bar.is_closed) == (9, True)
    assert bar.postfix.startswith("loss ")
    assert capsys.readouterr().err == ""


def test_a_notebook_without_ipywidgets_or_without_tqdm_gets_lines(points, monkeypatch, capsys):
    in_a_kernel(monkeypatch)
    for package in INSTALLED:
        only_installed(monkeypatch, INSTALLED - {package})
        train(points)
        assert capsys.readouterr().err.count("epoch ") == 3
    assert BARS == []


def test_an_ipywidgets_that_tqdm_does_not_know_gets_lines(points, monkeypatch, capsys):
    def refuse(**settings):
        raise ImportError("IProgress not found. Please update jupyter and ipywidgets.")

    in_a_kernel(monkeypatch)
    monkeypatch.setattr(sys.modules["tqdm.notebook"], "tqdm", refuse)
    train(points)
    assert capsys.readouterr().err.count("epoch ") == 3


def test_on_a_terminal_it_is_tqdms_bar_also_in_ipython(points, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    for application in (None, "TerminalIPythonApp"):
        if application:
            in_a_kernel(monkeypatch, application)
        train(points)
        assert "ncols" in BARS[-1].settings
    assert len(BARS) == 2


def test_elsewhere_there_are_lines(points, monkeypatch, capsys):
    train(points)
    in_a_kernel(monkeypatch, "TerminalIPythonApp")  # whose stderr goes to a file
    train(points)
    assert capsys.readouterr().err.count("epoch ") == 6
    assert BARS == []


def test_a_module_called_ipython_without_a_shell_is_no_notebook(monkeypatch):
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: None
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not progress.is_notebook()


@pytest.mark.parametrize(
    "module",
    [
        SimpleNamespace(),
        SimpleNamespace(get_ipython=object),
        SimpleNamespace(get_ipython=lambda: SimpleNamespace(config=None)),
    ],
)
def test_another_module_called_ipython_is_no_notebook(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert not progress.is_notebook()


def test_a_stderr_that_is_closed_or_only_writes_is_no_terminal(points, monkeypatch):
    closed, written = io.StringIO(), []
    closed.close()
    writer = SimpleNamespace(write=written.append, flush=lambda: None)
    for stderr in (None, closed, writer):
        monkeypatch.setattr(sys, "stderr", stderr)
        sg.fit(sg.models.vae((2,), latent=2, hidden=(4,), rng=0), points, epochs=1, progress=True)
    assert BARS == []
    assert "".join(written).startswith("epoch 1/1: loss ")
