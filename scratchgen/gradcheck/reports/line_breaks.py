"""Lines of text that fit: paragraphs, parts side by side, and what to leave out."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...ground.tables import INDENT, WIDTH
from .wording import as_ascii, cut


@dataclass(frozen=True)
class Item:
    """Lines that stand or fall together; `kind` is what they are one of, where they fall."""

    kind: str
    lines: list[str]


def fitted(items: Sequence[Item], space: int) -> list[str]:
    """The lines of the items, or of as many as fit, and how many of what do not."""
    kept, used = len(items), sum(len(one.lines) for one in items)
    if used > space:
        while used > space - 1:
            kept -= 1
            used -= len(items[kept].lines)
    lines = [line for one in items[:kept] for line in one.lines]
    fallen = Counter(one.kind for one in items[kept:])
    texts = [f"{n} more {kind}{'s' * (n > 1)}" for kind, n in fallen.items()]
    return [*lines, INDENT + "... and " + ", ".join(texts)] if texts else lines


def prose(text: str, indent: str, most: int, lead: str = "") -> list[str]:
    """Text after its lead, in at most so many lines; "..." where it goes on."""
    return textwrap.wrap(
        as_ascii(text),
        WIDTH,
        initial_indent=indent + lead,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" ...",
    )


def packed(parts: Sequence[str], indent: str) -> list[str]:
    """Parts side by side, three blanks apart, in as many lines as they need."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= WIDTH:
            lines[-1] += "   " + part
        else:
            lines.append(cut((indent + "  " if lines else indent) + part, WIDTH))
    return lines
