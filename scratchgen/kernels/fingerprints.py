"""An edit of the textbook must count, so its text is compared with the published text.

For each file that a step of training goes through, and each function and constant in it,

    digest = the first digits of SHA-256 of its text                                     (1)

is kept in digests.py, and compared before the first step: an edited file has another digest.

    python -m scratchgen.kernels.write_digests    updates digests.py, to accept an edit
"""

import ast
import copy
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .digests import FILES, TEXTS

PACKAGE = Path(__file__).parents[1]
ROOMS = ("nn", "distributions", "losses", "optim", "models")
BESIDE = (
    "train/trainer.py", "ground/arguments.py", "ground/rng.py", *(f"kernels/{name}.py" for name in (
        "__init__", "activation_loops", "arithmetic", "blocking", "elementwise",
        "multiplying", "normal", "packing", "products", "random",
    )),
)  # fmt: skip
DIGITS = 12

_digests: dict[str, tuple[Any, str | None]] = {}  # by file: its time, size and inode; its digest
_last: list[str | None] = []
_edited: list[str] = []
_version = 0  # of all files together; it grows whenever a file has changed


def edited() -> list[str]:
    """The files, such as `nn/dense.py`, whose text is not the published text."""
    global _last, _edited, _version
    files = _files()
    digests = [digest_of(file) for file in files]
    if digests != _last:
        pairs = zip(files, digests, strict=True)
        _edited = [file for file, digest in pairs if digest not in (FILES.get(file, ""), None)]
        _last, _version = digests, _version + 1
    return list(_edited)


def last_look() -> tuple[int, list[str]]:
    """The version of the files when `edited` last looked, and what it returned."""
    if _version == 0:
        edited()
    return _version, _edited


def _files() -> list[str]:
    """The published files, and all others in their rooms."""
    found = {f"{room}/{path}" for room in ROOMS for path in _listed(room) if path.endswith(".py")}
    return [*FILES, *sorted(found.difference(FILES))]


def _listed(room: str) -> list[str]:
    try:
        return os.listdir(PACKAGE / room)
    except OSError:
        return []


def digest_of(file: str) -> str | None:
    """(1) of a file; None if there is no text, which nobody can have edited."""
    path = PACKAGE / file
    try:
        status = path.stat()
        like = status.st_mtime_ns, status.st_size, status.st_ino
        if _digests.get(file, (None,))[0] != like:
            _digests[file] = like, _digest(path.read_bytes().replace(b"\r\n", b"\n"))
    except OSError:
        return None
    return _digests[file][1]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def changed_in(file: str) -> frozenset[str]:
    """The functions and constants of an edited file whose text is not the published text."""
    return _changed(file, digest_of(file))


@functools.cache
def _changed(file: str, _digest: str | None) -> frozenset[str]:
    old, new = TEXTS.get(file, {}), texts_of(file)
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def texts_of(file: str) -> dict[str, str]:
    """(1) of each function and constant in a file, without comments, docstrings and decorators."""
    try:
        tree = ast.parse((PACKAGE / file).read_bytes())
    except (OSError, SyntaxError):
        return {}
    return {name: _digest(ast.unparse(node).encode()) for name, node in _defined(tree, "")}


def _defined(tree: Any, path: str) -> Iterator[tuple[str, ast.stmt]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield f"{path}{node.name}", _plain(node)
        elif isinstance(node, ast.ClassDef):
            yield from _defined(node, f"{path}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not path:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (node for target in targets for node in ast.walk(target)):
                if isinstance(name, ast.Name):
                    yield name.id, node


def _plain(node: ast.FunctionDef) -> ast.FunctionDef:
    plain = copy.copy(node)
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    plain.body, plain.decorator_list = body or [ast.Pass()], []
    return plain
