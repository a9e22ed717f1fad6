"""Updates digests.py to the present text of the textbook: `python -m` and its name."""

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
    write_atomically(Path(__file__).with_name("digests.py"), "\n".join([*lines, ""]).encode())


if __name__ == "__main__":
    write()
