"""`scratchgen check`, as a careful, a careless and a hostile user would call it."""

import json
import os
import re
import subprocess
import sys

import pytest
from command_line import run
from own_modules import importable

from scratchgen import nn
from scratchgen.command import check as checking
from scratchgen.command import library_names, user_functions
from scratchgen.gradcheck.reports.report import Report
from scratchgen.gradcheck.results import CaseResult, Finding
from scratchgen.ground.errors import FileError
from scratchgen.ground.versions import is_installed
from scratchgen.ground.writing import expect_writable

needs_plots = pytest.mark.skipif(
    not is_installed("matplotlib"), reason="matplotlib is not installed: no pictures are made"
)

LAYERS = """
from dataclasses import dataclass

import numpy as np
import scratchgen as sg


@dataclass(frozen=True, eq=False)
class Scale(sg.nn.Layer):
    def parameters(self):
        return {"a": ((1,), lambda rng, shape: np.ones(shape))}

    def forward(self, p, x, tape):
        tape.x = x
        return p.a * x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        if g is not None:
            g.a += (dy * tape.x).sum()
        return p.a * dy if need_dx else None


class Twice(Scale):
    def backward(self, p, dy, tape, g=None, need_dx=True):
        dx = super().backward(p, dy, tape, g, need_dx)
        return None if dx is None else 2 * dx


@dataclass(frozen=True, eq=False)
class Sized(Scale):
    size: int


class Shop:
    Layer = Scale


def make():
    return Sized(3)


def broken():
    return Sized(1 / 0)


class Nothing:
    pass


instance = Scale()
network = sg.nn.Network((4,), sg.nn.Dense(4, 3), sg.nn.ReLU())
loss = sg.losses.LOSSES["minimax"]
adam = sg.optim.Adam(1e-3)
model = sg.models.gan((2,), latent=2, hidden=(4,), rng=0)
"""

FUNCTIONS = """
import sys
import numpy as np


def forward(x, w):
    return x @ w, (x, w)


def backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy


def f(x, w):
    return x @ w


def vjp(dy, x, w):
    return dy @ w.T, x.T @ dy


def wrong(dy, x, w):
    return dy @ w.T, -(x.T @ dy)


def root(x):
    return np.sqrt(x), x


def root_backward(dy, cache):
    return dy / (2 * np.sqrt(cache))


def square(x):
    return x**2


def square_vjp(dy, x):
    return 2 * x * dy


def any_vjp(*given):
    return 2 * given[1] * given[0]


def halves(x):
    return x[:2], x[2:]


def halves_vjp(dy, x):
    return np.concatenate(dy)


def pick(x, labels):
    return x[np.arange(len(labels)), labels]


def pick_vjp(dy, x, labels):
    dx = np.zeros(x.shape)
    dx[np.arange(len(labels)), labels] = dy
    return dx, None


def one_only(dy):
    return dy


def loud(x):
    raise ValueError("no \\x1b[31mred\\x1b[0m today")


def leaves(x):
    sys.exit(0)


number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder with the user's files; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_layers.py").write_text(LAYERS)
    (tmp_path / "own_functions.py").write_text(FUNCTIONS)
    with importable(tmp_path):
        yield tmp_path


def error_of(capsys) -> str:
    """The text on stderr, which has one to three lines and no traceback."""
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert 1 <= len(lines) <= 3, captured.err
    assert captured.err.startswith("scratchgen:")
    assert "Traceback" not in captured.err + captured.out
    assert max(map(len, lines)) <= 79
    assert all(letter.isprintable() for line in lines for letter in line)
    return " ".join(captured.err.split())


@pytest.mark.parametrize(
    "words",
    [
        "own_layers:Scale --x 4,5",
        "own_layers:Scale",
        "own_layers:instance --x 4x5 --seed 3 --training",
        "own_layers:instance --x 4,5 --evaluation --wrt x,a --batch-axis 0",
        "own_layers:Shop.Layer --x 3,2",
        "own_layers:make() --x 2,3 --wrt a",
        "own_layers:network",
        "own_layers:loss",
        "own_layers:adam",
        "own_layers:model --seconds 20",
        "own_functions:forward,backward --args 4x5,5x3",
        "own_functions:f,vjp --args 4x5,5x3 --wrt w",
        "own_functions:root,root_backward --args 4:positive",
        "own_functions:square,square_vjp --args scalar",
        "own_functions:square,any_vjp --args 3x2",
        "own_functions:halves,halves_vjp --args 5",
        "own_functions:pick,pick_vjp --args 4x6,4:int6",
    ],
)
def test_a_right_gradient_passes_with_exit_code_0(words, capsys):
    assert run("check", *words.split()) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "1 PASS, 0 FAIL, 0 INCONCLUSIVE"
    assert captured.err == ""


@pytest.mark.parametrize(
    "words",
    [
        "own_layers:Twice --x 4,5",
        "own_functions:f,wrong --args 4x5,5x3",
        "own_functions:loud,square_vjp --args 3",
        "own_functions:square,square_vjp --args 3 --kind cached",
    ],
)
def test_a_wrong_gradient_fails_with_exit_code_1(words, capsys):
    assert run("check", *words.split()) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "0 PASS, 1 FAIL, 0 INCONCLUSIVE"
    assert "FAIL" in captured.out.splitlines()[0] + captured.out.splitlines()[1]
    assert "Traceback" not in captured.out + captured.err
    assert "\x1b" not in captured.out


@pytest.mark.parametrize("name", ["Softsign", "softsign", "leaky_relu", "DENSE", "hinge", "R1"])
def test_a_part_of_the_library_is_checked_by_its_name_in_any_spelling(name, capsys):
    assert run("check", name) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 PASS, 0 FAIL, 0 INCONCLUSIVE"


def test_every_name_of_the_registries_finds_one_part_of_its_kind():
    for registry in library_names.registries():
        for name, entry in registry.items():
            part = library_names.find_part(name.upper())
            assert part is entry or type(part) is entry, name


def test_a_name_that_two_registries_have_is_refused_with_both(monkeypatch, capsys):
    monkeypatch.setitem(library_names.OPTIMIZERS, "Dense", object)
    assert run("check", "dense") == 2
    assert "is ambiguous, layer (scratchgen.nn.LAYERS) or optimizer" in error_of(capsys)


def test_a_name_as_it_is_written_comes_before_names_of_the_same_letters(monkeypatch):
    monkeypatch.setitem(nn.LAYERS, "soft_sign", nn.ReLU)
    assert library_names.find_part("Softsign") is nn.Softsign
    assert library_names.find_part("soft_sign") is nn.ReLU


def test_a_layer_of_the_library_takes_the_options_of_a_layer(capsys):
    assert run("check", "Softsign", "--x", "4,5", "--wrt", "x") == 0
    assert "case x (4, 5)" in capsys.readouterr().out


def test_a_class_is_checked_at_its_own_examples_unless_a_shape_is_given(capsys):
    assert run("check", "own_layers:Scale") == 0
    assert "5 cases" in capsys.readouterr().out
    assert run("check", "own_layers:Scale", "--x", "4,5") == 0
    assert "case x (4, 5)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "shapes", "kind"),
    [
        ("forward,backward", "4x5,5x3", "cached"),
        ("f,vjp", "4x5,5x3", "vjp"),
        ("root,root_backward", "4:positive", "cached"),
        ("square,square_vjp", "3", "vjp"),
        ("square,any_vjp", "3", "vjp"),
        ("halves,halves_vjp", "5", "vjp"),
    ],
)
def test_the_kind_of_two_functions_is_recognised_and_printed(names, shapes, kind, capsys):
    assert run("check", f"own_functions:{names}", "--args", shapes) == 0
    assert f"(--kind {kind})" in capsys.readouterr().out


def test_one_seed_gives_the_same_report_and_another_seed_another(capsys):
    def numbers_of(seed):
        words = f"own_functions:f,wrong --args 4x5,5x3 --seed {seed}"
        run("check", *words.split())
        return re.sub(r"[\d.]+ m?s\b", "", capsys.readouterr().out)

    assert numbers_of(3) == numbers_of(3)
    assert numbers_of(3) != numbers_of(4)


@needs_plots
def test_the_report_is_written_as_json_as_a_page_and_as_a_picture(folder):
    words = "own_functions:f,wrong --args 4x5,5x3 --json r.json --html r.html --plot r.png"
    assert run("check", *words.split()) == 1
    assert "FAIL" in json.dumps(json.loads((folder / "r.json").read_text()))
    assert "<html" in (folder / "r.html").read_text()
    assert (folder / "r.png").stat().st_size > 1000


@pytest.fixture
def quick_library(monkeypatch):
    """A library of two layers, so that its certificate takes no time."""
    from scratchgen import gradcheck, nn

    given = {}

    def certify(seed, jit, **options):
        given.update(seed=seed, jit=jit)
        layers = (nn.Dense(3, 2), nn.ReLU())
        return [gradcheck.check(layer, (2, 3), seed=seed) for layer in layers]

    monkeypatch.setattr(checking, "certify", certify)
    return given


def test_without_a_subject_the_library_is_checked_and_certified(folder, capsys, quick_library):
    assert run("check", "--out", "new/folder", "--seed", "5") == 0
    assert quick_library == {"seed": 5, "jit": False}
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 PASS, 0 FAIL, 0 INCONCLUSIVE"
    assert max(map(len, lines)) <= 79
    assert any("Dense" in line for line in lines)
    made = {path.name for path in (folder / "new" / "folder").iterdir()}
    assert made == {"certificate.html", "certificate.json"}
    json.loads((folder / "new/folder/certificate.json").read_text())
    assert run("check") == 0
    assert (folder / "certificate.html").exists()


def test_compiled_loops_are_checked_with_numba_and_an_error_names_numba_without_it(
    capsys, quick_library, monkeypatch
):
    installed = {"numba": True}
    monkeypatch.setattr("scratchgen.ground.versions.is_installed", lambda name: installed[name])
    assert run("check", "--jit") == 0
    assert quick_library == {"seed": 0, "jit": True}
    installed["numba"] = False
    capsys.readouterr()
    assert run("check", "--jit") == 1
    assert "pip install numba" in error_of(capsys)


def test_a_terminal_sees_what_was_checked_last(capsys, monkeypatch):
    checking._progress(Report("Dense(3 -> 2)" * 9, [], 0, "", 0.1, "layer"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("\rlayer Dense(3 -> 2)")
    assert len(captured.err) <= 81


def test_a_file_in_the_way_of_the_folder_is_named_and_kept(folder, capsys, quick_library):
    (folder / "taken").write_text("mine")
    assert run("check", "--out", "taken") == 1
    assert "the folder taken cannot be made" in error_of(capsys)
    assert (folder / "taken").read_text() == "mine"
    assert not quick_library


def test_a_failure_in_the_library_is_exit_code_1(capsys, monkeypatch):
    verdicts = ["PASS", "FAIL", "INCONCLUSIVE", "FAIL"]
    reports = [
        Report(f"f{i}", [CaseResult("", findings=[Finding("pure", verdict)])], 0, "f()", 0.1)
        for i, verdict in enumerate(verdicts)
    ]
    monkeypatch.setattr(checking, "certify", lambda **_: reports)
    assert run("check") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 PASS, 2 FAIL, 1 INCONCLUSIVE"
    reports[:] = reports[::2]
    assert run("check") == 0  # INCONCLUSIVE is not FAIL


WRONG_CALLS = [
    ("own_layers", "or MODULE:NAME for a part of your own"),
    ("sofsign", "the library has no 'sofsign'"),
    ("sofsign", "did you mean 'Softsign'?"),
    ("Dense --x 4,5", "leave --x out"),
    ("layers.py", "wants its module, layers:NAME"),
    ("own_layers:", "wants a module and a name in it"),
    ("own_layers.py:Scale", "wants its module, own_layers:Scale"),
    ("sub/own_layers.py:Scale", "wants its module, sub.own_layers:Scale"),
    ("nowhere:Scale", "there is no module nowhere in"),
    ("own_layers.deeper:Scale", "there is no module own_layers.deeper in"),
    (".:x", "there is no module . in"),
    ("own_layers:Scael", "has no 'Scael'; did you mean 'Scale'?"),
    ("own_layers:Shop.Leyer", "has no 'Shop.Leyer'"),
    ("own_functions:number.real()", "leave the () out"),
    ("own_layers:Sized", "write a function that makes one, and check own_layers:make()"),
    ("own_layers:make", "name its backward pass too, as own_layers:make,backward"),
    ("own_functions:f,vjp", "need the shapes of their arguments: --args 4x5,5x3"),
    ("own_functions:f,vjp,wrong --args 4", "wants one name, or forward,backward"),
    ("own_functions:f,vjp --x 4,5", "--x does not go with this"),
    ("own_functions:f,one_only --args 4x5,5x3", "the backward pass takes 1 arguments"),
    ("own_functions:f,vjp --args 4y5", "wants shapes such as 4x5,5x3"),
    ("own_functions:f,vjp --args 4:int0", "wants shapes such as 4x5,5x3"),
    ("own_functions:f,vjp --args 999999999x9,3", "wants shapes of at most"),
    ("own_functions:f,vjp --args 4x5,5x3 --kind both", "unknown --kind 'both'"),
    ("own_functions:f,vjp --args 4x5,5x3 --wrt v", "'v'"),
    ("own_layers:Scale --args 4x5", "--args does not go with this"),
    ("own_layers:Scale --x 4,-5", "wants a shape that begins with the batch"),
    ("own_layers:Scale --out here", "--out does not go with this"),
    ("own_layers:Scale --training --evaluation", "not allowed with argument"),
    ("own_layers:Scale --plot x.jpeg", "wants a name that ends in .png"),
    ("own_layers:Scale --seed -1", "at least 0"),
    ("own_layers:Scale --second 3", "did you mean '--seconds'?"),
    ("--x 4,5", "--x does not go with this: name a subject too"),
    ("own_layers:Scale more", "one word too many: 'more'"),
]


@pytest.mark.parametrize(("words", "text"), WRONG_CALLS)
def test_a_wrong_call_is_explained_in_a_few_lines_with_exit_code_2(words, text, capsys, folder):
    before = sorted(path for path in folder.iterdir() if path.name != "__pycache__")
    assert run("check", *words.split()) == 2
    assert text in error_of(capsys)
    assert before == sorted(path for path in folder.iterdir() if path.name != "__pycache__")


BROKEN = [
    ("x = (1,\n", "SyntaxError"),
    ("if True:\nx = 1\n", "IndentationError"),
    ("x = 1\x00", "SyntaxError"),
    ("y = 1\nx = 1 / 0\n", "ZeroDivisionError in line 2 of broken.py, x = 1 / 0: division by zero"),
    (
        "import nowhere_at_all\n",
        "in line 1 of broken.py, import nowhere_at_all: No module named 'nowhere_at_all'",
    ),
    ("from math import nothing\n", "cannot import name 'nothing'"),
    ("import sys\nsys.exit('\x1b[2J')\n", "raised SystemExit"),
    ("raise BaseExceptionGroup('x', [ValueError('a\\n' * 99)])", "ExceptionGroup"),
]


@pytest.mark.parametrize(("source", "text"), BROKEN)
def test_a_module_that_cannot_be_imported_is_explained_with_its_line(source, text, capsys, folder):
    (folder / "broken.py").write_text(source)
    assert run("check", "broken:x") == 1
    said = error_of(capsys)
    assert "importing broken raised" in said
    assert text in said


def test_an_error_in_the_function_that_makes_the_layer_is_reported_with_its_line(capsys):
    assert run("check", "own_layers:broken()") == 1
    assert "broken() raised ZeroDivisionError in line" in error_of(capsys)


def test_functions_that_leave_the_program_do_not_look_like_a_success(capsys):
    assert run("check", "own_functions:leaves,square_vjp", "--args", "3") == 1
    captured = capsys.readouterr()
    assert "raised SystemExit" in captured.out + captured.err


def test_an_object_that_cannot_be_checked_is_refused_in_words(capsys):
    for name in ("number", "sys"):
        assert run("check", f"own_functions:{name}") in (1, 2)
        error_of(capsys)
    assert run("check", "own_layers:Nothing") in (1, 2)
    error_of(capsys)


def test_files_that_cannot_be_written_are_named_before_anything_is_checked(
    capsys, monkeypatch, tmp_path
):
    for name in ("certify", "gradcheck.check"):
        monkeypatch.setattr(
            f"scratchgen.command.check.{name}", lambda *a, **k: pytest.fail("checked")
        )
    monkeypatch.chdir(tmp_path)
    for folder, name in (("page", "certificate.html"), ("record", "certificate.json")):
        (tmp_path / folder / name).mkdir(parents=True)
        assert run("check", "--out", folder) == 1
        assert "cannot be written (Is a directory): name another folder" in error_of(capsys)
        assert len(list((tmp_path / folder).iterdir())) == 1  # and nothing is left behind
    for option in ("--json", "--html"):
        assert run("check", "own_layers:Scale", option, "page") == 1
        assert "cannot be written (Is a directory): name another file" in error_of(capsys)


def test_testing_whether_a_file_can_be_written_changes_no_file(tmp_path):
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_bytes(b"what it holds")
    for path in (there, new):
        expect_writable(path, "name another")
    assert there.read_bytes() == b"what it holds"
    assert not new.exists()
    with pytest.raises(FileError, match=r"nowhere.new cannot be written \(No such file"):
        expect_writable(tmp_path / "nowhere" / "new", "name another")
    link = tmp_path / "link"
    link.symlink_to(new)
    expect_writable(link, "name another")
    assert link.is_symlink()
    assert not new.exists()
    if hasattr(os, "mkfifo"):
        os.mkfifo(new)
        expect_writable(new, "name another")  # and nobody waits for a reader


def test_a_folder_that_is_not_there_is_named_before_anything_is_checked(capsys):
    for option in ("--json", "--html"):
        assert run("check", "own_layers:Scale", option, "nowhere/r") == 1
        assert "there is no folder nowhere" in error_of(capsys)


def test_the_current_folder_comes_first_as_with_python_dash_m(folder):
    words = [sys.executable, "-m", "scratchgen", "check", "own_layers:Scale", "--x", "4,5"]
    script = "import sys; sys.path[:] = [p for p in sys.path if p]"
    script += "; from scratchgen.command.entry import main; sys.exit(main())"
    for command in (words, [sys.executable, "-c", script, *words[3:]]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "1 PASS, 0 FAIL, 0 INCONCLUSIVE"


def test_the_help_fits_eighty_columns_and_names_the_ways_to_write_shapes(capsys):
    assert run("check", "--help") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for word in ("4x5", "scalar", "positive", "int10", "certificate.html", "--kind"):
        assert word in out


def test_drawn_arguments_have_the_given_shapes_and_kinds():
    import numpy as np

    rng = np.random.default_rng(0)
    drawn = [
        argument.draw(rng)
        for argument in user_functions.drawn_arguments("4x5,scalar,50:int3,6:positive,3:int")
    ]
    assert [np.shape(array) for array in drawn] == [(4, 5), (), (50,), (6,), (3,)]
    assert set(drawn[2].tolist()) == {0, 1, 2}
    assert (drawn[3] > 0).all()
    assert (drawn[0] < 0).any()
