"""The house has floors: a file imports only from rooms that docs/floors.md lists before its own."""

import ast
import re
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from scratchgen import kernels
from scratchgen.models import MODELS, RECIPES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "scratchgen"
ROOMS = re.findall(r"^\d+\. `(\w+)/`", (ROOT / "docs/floors.md").read_text(), re.MULTILINE)
FILES = sorted(str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py"))
ALONE = {
    "llvmlite": "scratchgen/kernels/",
    "numba": "scratchgen/kernels/",
    "matplotlib": "scratchgen/plots/",
    "PIL": "scratchgen/plots/",  # which matplotlib brings
    "hypothesis": "scratchgen/gradcheck/strategies.py",
    "pytest": "scratchgen/command/pytest_plugin.py",
}
FRONT_DOOR = "scratchgen/__init__.py"  # gathers what the rooms have; nothing inside imports it


@cache
def tree_of(file: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((ROOT / file).read_text())


@cache
def imports_of(file: str) -> set[str]:
    """The modules that a file imports: our own as paths, others by their first name."""
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = (ROOT / file).parents[node.level - 1]
            base = base.joinpath(*(node.module or "").split(".")) if node.module else base
            for alias in node.names:
                found.add(path_of(base / alias.name) or path_of(base) or f"?{base}.{alias.name}")
    return found


def path_of(module: Path) -> str | None:
    """The file of a module or a package, where there is one."""
    for path in (module.with_suffix(".py"), module / "__init__.py"):
        if path.is_file():
            return str(path.relative_to(ROOT))
    return None


def room_of(file: str) -> str:
    """The room of a file; "" for the front door and `python -m scratchgen`."""
    return file.split("/")[1] if file.count("/") > 1 else ""


def test_floors_are_the_rooms_that_there_are():
    assert sorted(ROOMS) == sorted({room_of(file) for file in FILES} - {""})


def test_a_file_imports_only_from_rooms_below_its_own():
    for file in FILES:
        for module in imports_of(file):
            assert not module.startswith("?"), f"{file} imports {module}"
            if module == FRONT_DOOR:
                assert file == "scratchgen/__main__.py", f"{file} imports the front door"
            elif module.startswith("scratchgen/") and room_of(file):
                rooms = room_of(module), room_of(file)
                assert ROOMS.index(rooms[0]) <= ROOMS.index(rooms[1]), f"{file} imports {module}"


def test_no_imports_run_in_a_circle():
    ours = {file: imports_of(file) & set(FILES) for file in FILES}
    TopologicalSorter(ours).prepare()  # which raises CycleError


SAME_MEANING = {  # stems of several files, which mean the same thing in each room
    "__init__",
    "adversarial",  # the game: its formulas, and the model that plays it
    "description",  # a part in plain words, and back
    "products",  # of matrices: computed, and timed
}


def test_files_of_one_stem_mean_the_same_thing():
    stems = Counter(Path(file).stem for file in FILES)
    assert {stem for stem, n in stems.items() if n > 1} <= SAME_MEANING


def test_no_two_files_of_a_room_have_stems_of_one_word():
    """As `train` and `training`, of which nobody remembers which is which."""
    endings = ("s", "es", "ing", "er", "ed", "ion")
    stems = {(room_of(file), Path(file).stem) for file in FILES}
    for room, stem in stems:
        for of_word in (stem + end for stem in (stem, stem.removesuffix("e")) for end in endings):
            assert (room, of_word) not in stems, f"{room}: {stem} and {of_word}"


def test_an_optional_package_is_known_to_one_room_or_file():
    for file in FILES:
        for package, room in ALONE.items():
            if package in imports_of(file):
                assert file.startswith(room), f"{file} imports {package}"


def test_nothing_is_imported_but_numpy_the_standard_library_and_the_optional_packages():
    allowed = set(sys.stdlib_module_names) | {"numpy", "tqdm"} | set(ALONE)
    for file in FILES:
        others = {name for name in imports_of(file) if "/" not in name}
        assert others <= allowed, f"{file} imports {others - allowed}"


def test_files_are_written_by_one_file_alone():
    """But for log.csv, to which lines are added; and members of an archive are opened in it."""
    found = set()
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            words = [str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)]
            mode = next((word for word in words if re.fullmatch("[wxa]b?[+]?", word)), "")
            if name in ("write_text", "write_bytes", "tofile") or (name == "open" and mode):
                found.add((file, name, mode))
    assert found <= {
        ("scratchgen/ground/writing.py", "open", "xb"),
        ("scratchgen/ground/writing.py", "open", "wb"),
        ("scratchgen/export/files.py", "open", "w"),
        ("scratchgen/command/epoch_log.py", "open", "a"),
    }


def test_a_file_opens_with_one_plain_sentence():
    for file in FILES:
        first = (ast.get_docstring(tree_of(file)) or "").split("\n")[0]
        assert first.endswith((".", ":")), f"{file} opens with {first!r}"
        assert len(first) > 15, f"{file} opens with {first!r}"


def test_no_public_name_fights_with_a_module_of_its_package():
    for file in (file for file in FILES if file.endswith("__init__.py")):
        names = {
            alias.asname or alias.name
            for node in tree_of(file).body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        modules = {path.stem for path in (ROOT / file).parent.iterdir()}
        assert not names & modules, file


TEXTBOOK = tuple(
    file
    for file in FILES
    if file.split("/")[1] in ("nn", "distributions", "losses", "models", "optim")
)
FUNCTIONS_OF_ONE_NUMBER = "scratchgen/kernels/functions.py"  # which loops call
NOT_FOR_MATHEMATICS = {"products_by", "set_threads", "threads", "threads_now"}
WATCHED = {
    "scratchgen/kernels/fingerprints.py",
    "scratchgen/kernels/replaced.py",
}  # by which it is watched
GONE = re.compile(
    r"\b(replays|noted|lasting|StandIn|overwrites|opened\(|kernels\.(before|here|after|in_order))\b"
)
ENGINE = re.compile(  # in code, comments and docstrings alike; `loop_of` is another word
    r"\b(\w*(recording|replay|workspace|stand[_-]?in|playback|overwrit|compil|numba)\w*"
    r"|(in_)?plans?|written over|lasting memory|guards|twins?)\b",
    re.IGNORECASE,
)


def names_of_kernels(file: str) -> set[tuple[str, str]]:
    """What a file has of kernels: (the file of that room that it comes from, its name)."""
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kernels":
            base = (ROOT / file).parents[node.level - 1].joinpath(*str(node.module).split("."))
            found |= {(path_of(base) or "", alias.name) for alias in node.names}
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "kernels":
            found.add(("scratchgen/kernels/__init__.py", node.attr))
    return found


def test_the_textbook_is_written_with_the_public_names_of_kernels():
    public = set(kernels.__all__) - NOT_FOR_MATHEMATICS
    of_one_number = {
        name
        for node in tree_of(FUNCTIONS_OF_ONE_NUMBER).body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef)
            else [x.id for x in ast.walk(node) if isinstance(x, ast.Name)]
        )
        if not name.startswith("_")
    }
    for file in TEXTBOOK:
        for source, name in names_of_kernels(file):
            if source == "scratchgen/kernels/__init__.py":
                assert name in public, f"{file} uses kernels.{name}"
            else:
                assert source == FUNCTIONS_OF_ONE_NUMBER, f"{file} imports {name} from {source}"
                assert name in of_one_number, f"{file} imports {name}"
        assert imports_of(file).isdisjoint(WATCHED), file


def test_the_textbook_says_nothing_of_how_it_is_run():
    """Not in its comments either. Nor does it say where a function is to write its result."""
    for file in TEXTBOOK:
        text = (ROOT / file).read_text()
        for words in (GONE, ENGINE):
            found = words.search(text)
            assert not found, f"{file}, line {text[: found.start()].count(chr(10)) + 1}: {found[0]}"
        for node in ast.walk(tree_of(file)):
            passed = [x.arg for x in node.keywords] if isinstance(node, ast.Call) else []
            assert "out" not in passed, f"{file}, line {node.lineno}: out="


BUILD_SOME = {"scratchgen/bench/tasks.py", "scratchgen/gradcheck/specimens.py"}  # to work on
OF_FAMILIES = {
    str(Path(sys.modules[declared.__module__].__file__ or "").name)
    for declared in (*MODELS.values(), *(recipe.build for recipe in RECIPES.values()))
}
KNOW_THEM = {f"scratchgen/models/{name}" for name in (*OF_FAMILIES, "__init__.py")}


def words_in_code(file: str) -> set[str]:
    """The names in a file, those that it imports, and its texts of one word."""
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found |= {node.name, node.asname or ""}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_families_are_known_to_their_own_files_and_the_registry():
    """What a model can do is asked of it: nothing depends on which family it is of."""
    families = {kind.__name__ for kind in MODELS.values()} | set(MODELS) | set(RECIPES)
    assert {"VAE", "GAN", "vae", "wgan_gp"} <= families
    for file in set(FILES) - KNOW_THEM - BUILD_SOME - WATCHED - {"scratchgen/kernels/digests.py"}:
        assert not words_in_code(file) & families, file
