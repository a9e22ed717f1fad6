"""Compiled kernels are kept on disk, and compiled again if their files are stale or damaged."""

import ast
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from test_formulas import run

from scratchgen.command import warm_up
from scratchgen.kernels import compiling, plans
from scratchgen.kernels.formulas import numba_works

pytestmark = pytest.mark.skipif(
    not numba_works(), reason="numba is not installed, or switched off: nothing is compiled"
)

posix = pytest.mark.skipif(os.name != "posix", reason="folders have modes and owners only on POSIX")

KERNEL = """
import numpy as np, sys
from scratchgen import kernels
from scratchgen.kernels.formulas import by_loops
into = np.zeros(4, np.float32)
with by_loops():
    kernels.add_sum(np.ones((3, 4), np.float32), into)
print(into.tolist())
"""
RIGHT = "[3.0, 3.0, 3.0, 3.0]"


@pytest.fixture
def cache(tmp_path):
    return {"NUMBA_CACHE_DIR": str(tmp_path)}


def files(cache: dict) -> dict[Path, bytes]:
    paths = Path(cache["NUMBA_CACHE_DIR"]).rglob("*.kernel")
    return {path: path.read_bytes() for path in sorted(paths)}


def test_compiled_kernels_are_used_again_and_damaged_files_are_not(cache):
    assert run(KERNEL, **cache) == RIGHT
    written = files(cache)
    assert written
    times = {path: path.stat().st_mtime_ns for path in written}
    assert run(KERNEL, **cache) == RIGHT
    assert {path: path.stat().st_mtime_ns for path in written} == times
    for damaged in (lambda x: x[: len(x) // 2], lambda x: x[:-9] + bytes(9), lambda _: b""):
        for path, content in written.items():
            path.write_bytes(damaged(content))
        assert run(KERNEL, **cache) == RIGHT
        assert files(cache) == written


@posix
def test_kept_kernels_may_be_read_by_those_whom_the_users_umask_lets(cache):
    before = os.umask(0o022)
    try:
        run(KERNEL, **cache)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(cache)} == {0o644}


def test_a_folder_that_holds_kernels_is_used_even_if_it_cannot_be_written(monkeypatch, tmp_path):
    from scratchgen.kernels.native import caching

    def refuse(**_):
        raise PermissionError("read-only")

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = caching.folder.__wrapped__()
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert caching.folder.__wrapped__() is None
    (folder / f"products{caching.SUFFIX}").touch()
    assert caching.folder.__wrapped__() == folder


def test_a_full_disk_does_not_stop_training(cache):
    code = f"""
import os
def full(*_):
    raise OSError(28, "No space left on device")
os.replace = full
{KERNEL}
"""
    assert run(code, **cache) == RIGHT
    assert not files(cache)


@posix
def test_without_a_folder_kernels_are_compiled_in_each_process_and_a_line_says_so(tmp_path):
    code = f"""
import os, sys
from pathlib import Path
Path(os.environ["TMPDIR"], f"scratchgen-{{os.getuid()}}").touch()
from scratchgen.kernels.native import caching
assert caching.folder() is None, caching.folder()
sys.stderr = sys.stdout
{KERNEL}
"""
    nowhere = {"XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": "", "HOME": "/dev/null"}
    line, result = run(code, **nowhere, TMPDIR=str(tmp_path)).splitlines()
    assert result == RIGHT
    assert "in every process anew" in line
    assert "name one with NUMBA_CACHE_DIR" in line


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """A temporary directory, while no other folder can be written."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@posix
def test_if_no_other_folder_can_be_written_a_private_temporary_folder_is_used(temporary):
    from scratchgen.kernels.native import caching

    folder = caching.folder.__wrapped__()
    private = temporary / f"scratchgen-{os.getuid()}"
    assert folder.is_dir()
    assert folder.is_relative_to(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert caching.folder.__wrapped__() == folder  # the same folder the next time


@posix
@pytest.mark.parametrize(
    "folder_is", ["somebody else's", "writable for others", "a link", "a file"]
)
def test_a_temporary_folder_that_others_may_have_written_is_not_used(
    folder_is, temporary, monkeypatch
):
    from scratchgen.kernels.native import caching

    user = os.getuid() + (folder_is == "somebody else's")
    monkeypatch.setattr(os, "getuid", lambda: user)
    path, elsewhere = temporary / f"scratchgen-{user}", temporary / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if folder_is == "a link":
        path.symlink_to(elsewhere)
    elif folder_is == "a file":
        path.touch(mode=0o700)
    else:
        path.mkdir(mode=0o700)
        path.chmod(0o770 if folder_is == "writable for others" else 0o700)
    assert caching.folder.__wrapped__() is None
    assert not any(elsewhere.iterdir())


def test_a_file_under_the_name_of_another_kernel_is_not_used(cache):
    for dtype in ("float32", "float64"):
        run(KERNEL.replace("float32", dtype), **cache)
    written = files(cache)
    assert len(written) == 2
    for path, content in zip(written, reversed(written.values()), strict=True):
        path.write_bytes(content)
    for dtype in ("float32", "float64"):
        assert run(KERNEL.replace("float32", dtype), **cache) == RIGHT
    assert files(cache) == written


def test_two_processes_may_compile_the_same_kernels_at_the_same_time(cache):
    environment = {**os.environ, **cache}
    command = [sys.executable, "-c", KERNEL]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in started] == [RIGHT, RIGHT]
    assert {path.suffix for path in Path(cache["NUMBA_CACHE_DIR"]).rglob("*.*")} == {".kernel"}


def test_a_loop_that_needs_numbas_library_is_compiled_in_each_process(cache, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN.replace("    for i", "    terms = np.full(x.size, TIMES)\n    for i"))
    for _ in range(2):
        assert run(f"import runpy; runpy.run_path({str(file)!r})", **cache) == "[2.0, 2.0]"
    assert not [path for path in files(cache) if "several" in path.name]


def test_warmup_compiles_what_goes_through_a_table():
    warm_up.call_on_threads()
    assert (plans.enter, None) in compiling._loaded


@pytest.mark.parametrize(
    ("file_name", "has_loops"),
    [
        ("kernels/products.py", True),
        ("kernels/native/tiles.py", True),
        ("nn/rectifiers.py", True),
        ("optim/adam.py", True),
        ("nn/dense.py", False),
        ("models/autoencoder.py", False),
    ],
)
def test_only_an_edit_of_a_file_with_loops_makes_kernels_compile_again(
    file_name, has_loops, monkeypatch
):
    from scratchgen.kernels.native import caching

    before = caching._key()
    assert before == caching._key()
    read, file = Path.read_bytes, caching.PACKAGE / file_name
    assert file.is_file()
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == file))
    assert (caching._key() != before) is has_loops


def test_all_names_that_a_loop_reads_are_defined_in_hashed_files():
    """If others changed, the loop would not be compiled again."""
    from scratchgen.kernels.native import caching

    for name in caching.sources():
        tree = ast.parse((caching.PACKAGE / name).read_text(encoding="utf-8"))
        package = [caching.PACKAGE.name, *Path(name).parts[:-1]]
        imported = {}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                where = package[: len(package) + 1 - node.level] + (node.module or "").split(".")
                imported |= {(alias.asname or alias.name): where for alias in node.names}
        for function in tree.body:
            if not isinstance(function, ast.FunctionDef) or not is_compiled(function):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and node.id in imported:
                    path = "/".join(filter(None, imported[node.id][1:]))
                    files = (f"{path}.py", f"{path}/__init__.py", f"{path}/{node.id}.py")
                    assert set(files) & set(caching.sources()), (name, function.name, node.id)


def test_all_files_with_loops_are_hashed():
    from scratchgen.kernels.native import caching

    with_loops = {
        path.relative_to(caching.PACKAGE).as_posix()
        for path in caching.PACKAGE.rglob("*.py")
        if caching.MARKS.search(path.read_bytes())
    }
    assert with_loops
    assert with_loops <= caching.sources().keys()


def is_compiled(function: ast.FunctionDef) -> bool:
    marks = {mark.id for mark in function.decorator_list if isinstance(mark, ast.Name)}
    return bool(marks & {"helper", "rounded"}) or [x.arg for x in function.args.args[:2]] == [
        "part",
        "parts",
    ]


OWN = """
import numpy as np
from scratchgen.kernels import formula, loop_of
from scratchgen.kernels.formulas import by_loops

TIMES = 2.0

@formula("x (N,) -> y (N,)")
def several(x):
    return TIMES * x

@loop_of(several)
def several_loop(part, parts, x, y):
    for i in range(x.size):
        y[i] = TIMES * x[i]

with by_loops():
    print(several(np.ones(2)).tolist())
"""


def test_an_edited_users_loop_is_compiled_again_in_the_same_folder(cache, tmp_path):
    outputs = []
    for folder, text in (("a", OWN), ("b", OWN.replace("2.0", "3.0")), ("a", OWN)):
        file = tmp_path / folder / "own.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        outputs.append(run(f"import runpy; runpy.run_path({str(file)!r})", **cache))
    file.write_text(OWN.replace("2.0", "4.0"))
    outputs.append(run(f"import runpy; runpy.run_path({str(file)!r})", **cache))
    assert outputs == ["[2.0, 2.0]", "[3.0, 3.0]", "[2.0, 2.0]", "[4.0, 4.0]"]


def test_a_loop_from_a_prompt_is_compiled_again_for_other_constants_and_functions(cache):
    """Such code has no file whose text could tell one from the other."""
    helped = OWN.replace("import formula", "import formula, helper").replace(
        "@formula", "@helper\ndef times(x):\n    return TIMES * x\n\n@formula"
    )
    for code in (OWN, helped.replace("y[i] = TIMES * x[i]", "y[i] = times(x[i])")):
        assert run(code, **cache) == "[2.0, 2.0]"
        assert run(code.replace("2.0", "3.0"), **cache) == "[3.0, 3.0]"


def test_an_edit_runs_beside_the_kernel_of_before_in_the_same_process(cache, tmp_path):
    """numba gives the first loop of each process the same number, and so the same name."""
    steps = "".join(f"        s += t * np.sqrt(x[i] + {n})\n" for n in range(40))
    text = OWN.replace("        y[i] = TIMES * x[i]\n", f"        s = t = 0.0\n{steps}        "
                       "y[i] = s + TIMES * x[i]\n")  # fmt: skip # too long to be inlined
    file = tmp_path / "own.py"
    code = f"import runpy; runpy.run_path({str(file)!r})"
    file.write_text(text)
    assert run(code, **cache) == "[2.0, 2.0]"
    edit = (
        f"from pathlib import Path; Path({str(file)!r}).write_text({text.replace('2.0', '3.0')!r})"
    )
    assert run(f"{code}\n{edit}\n{code}", **cache).splitlines() == ["[2.0, 2.0]", "[3.0, 3.0]"]


@posix
def test_a_loop_that_allocates_frees_its_memory(cache):
    own = OWN.replace("    for i", "    terms = np.sort(np.full(x.size, TIMES))\n    for i")
    code = f"""
import resource
from scratchgen import kernels
from scratchgen.kernels.formulas import by_loops
import numpy as np
with by_loops():
    kernels.add_in_place(np.ones(2), np.ones(2))  # a kernel that allocates nothing comes first
{own.replace("* x[i]", "* x[i] + terms[i]")}
x = np.ones(10**6)
with by_loops():
    several(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(60):
        several(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    kilobytes = int(run(code, **cache).splitlines()[-1])
    assert kilobytes < 240_000  # half of what the loop has allocated


def test_a_users_own_function_by_numba_is_called_by_a_loop_and_by_python(cache, tmp_path):
    file = tmp_path / "own.py"
    functions = """
import numba

@numba.njit(cache=True)
def once(x):
    return x

@numba.njit
def times(x):
    return TIMES * once(x)

@formula"""
    text = OWN.replace("@formula", functions).replace("y[i] = TIMES * x[i]", "y[i] = times(x[i])")
    file.write_text(f"{text}\nprint(times(1.0), once(1.0))\n")
    for _ in range(2):
        output = run(f"import runpy; runpy.run_path({str(file)!r})", **cache)
        assert output.splitlines() == ["[2.0, 2.0]", "2.0 1.0"]


def test_long_long_and_int64_share_a_kernel_and_calls_leave_nothing_behind(cache):
    code = """
import numpy as np
from scratchgen.kernels import compiling, take_rows
from scratchgen.kernels.formulas import by_loops
rows = np.array([1, 0])
rows = rows.view("q" if rows.dtype.char == "l" else "l")
with by_loops():
    for _ in range(5):
        print(take_rows(np.eye(2), rows).tolist())
loops = [x for x in map(compiling.for_python, {loop for loop, _ in compiling._loaded}) if x._known]
print([len(calls) for x in loops for _, _, calls in x._known.values()])
"""
    *results, counts = run(code, **cache).splitlines()
    assert results == ["[[0.0, 1.0], [1.0, 0.0]]"] * 5
    assert counts == "[1]"


def test_environment_variables_choose_the_folder(monkeypatch, tmp_path):
    from scratchgen.kernels.native import caching

    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        folder = caching.folder.__wrapped__()
        assert folder.is_relative_to(tmp_path / name)
        monkeypatch.delenv(name)
    if os.name == "posix":
        assert caching.folder.__wrapped__().is_relative_to(tmp_path / "HOME" / ".cache")
