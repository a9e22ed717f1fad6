"""Updates digests.py to the present text of the textbook: `python -m` and its name."""

import importlib.util
from pathlib import Path

from ..ground.writing import write_atomically
from .fingerprints import BESIDE, PACKAGE, ROOMS, digest_of, texts_of


def write() -> None:
    """Write digests.py for the present text."""
    files = sorted(
        path.relative_to(PACKAGE).as_posix()
        for room in ROOMS
        for path in (PACKAGE / room).glob("*.py")
    )
    files += [file for file in BESIDE if (PACKAGE / file).exists()]
    lines = [
        '"""Digests of the textbook as it was published; write_digests.py writes this file."""',
        "",
    ]
    lines += ["FILES = {", *(f'    "{file}": "{digest_of(file)}",' for file in files), "}"]
    lines += ["TEXTS: dict[str, dict[str, str]] = {"]
    for file in files:
        texts = [f'        "{name}": "{x}",' for name, x in texts_of(file).items()]
        lines += [f'    "{file}": {{', *texts, "    },"] if texts else [f'    "{file}": {{}},']
    lines += ["}"]
    path = Path(__file__).with_name("digests.py")
    write_atomically(path, "\n".join([*lines, ""]).encode())
    # Python compares the second and the size of a file alone, which may be those of the old text
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


if __name__ == "__main__":
    write()
