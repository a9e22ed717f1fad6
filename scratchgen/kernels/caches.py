"""The sizes of a core's caches, by which a matrix product cuts its matrices.

    L1      some 4 cycles away, two loads in each cycle; 32 KB or 48 KB
    L2      some 14 cycles away; 256 KB to 2 MB
    L3      some 50 cycles away, shared by all cores

Linux lists them. Where no list is found, the smallest sizes of today's CPUs are assumed.
"""

from pathlib import Path

FOLDER = Path("/sys/devices/system/cpu/cpu0/cache")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def sizes() -> dict[str, str]:
    """The sizes of the caches of data by their names, `L1d`: `32K`; {} if no list is found."""
    found = {}
    for place in sorted(FOLDER.glob("index*")):
        level, kind, size = (
            (place / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            found[f"L{level}{'d' if kind == 'Data' else ''}"] = size
    return found


def size_in_bytes(name: str, otherwise: int) -> int:
    """The bytes of the cache of that name, or `otherwise` if they are unknown."""
    try:
        text = sizes()[name]
        return int(text.rstrip("KMG")) * UNITS.get(text[-1], 1)
    except (KeyError, OSError, ValueError):
        return otherwise


L1 = size_in_bytes("L1d", 32 * 2**10)
L2 = size_in_bytes("L2", 256 * 2**10)
