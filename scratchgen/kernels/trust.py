"""A recording may replace only what is known to do nothing but call kernels.

A recording holds the calls of kernels alone. So a part may be replayed if its class belongs to this
package, where kernels do everything; what a user's part does is unknown. And nothing is replayed if
the text is not the published text (fingerprints.py, replaced.py), or while a debugger follows.
"""

import os
import sys
from typing import Any

from ..ground.errors import OptionError
from . import fingerprints, replaced

VARIABLE = "SCRATCHGEN_REPLAY"
PACKAGE = f"{__name__.split('.')[0]}."


def is_ours(part: Any) -> bool:
    """Whether the class of a part belongs to this package, and no method was replaced on it."""
    kind = type(part)
    own = getattr(part, "__dict__", ())
    return kind.__module__.startswith(PACKAGE) and not any(
        callable(getattr(kind, name, None)) for name in own
    )


def replay_setting(replay: bool | None) -> bool | None:
    """`replay`, or the value of SCRATCHGEN_REPLAY if that is None. Raises OptionError."""
    if replay is not None:
        if not isinstance(replay, bool):
            raise OptionError(
                f"replay={replay!r}: wants True, False, or None, which decides itself"
            )
        return replay
    value = os.environ.get(VARIABLE)
    if value not in (None, "0", "1"):
        raise OptionError(f"{VARIABLE}={value}: wants 0 or 1")
    return None if value is None else value == "1"


def why_not() -> str:
    """Why the textbook is not as it was published; "" if it is."""
    if files := fingerprints.edited():
        return f"{_were([f'scratchgen/{file}' for file in files])} edited"
    if functions := replaced.replaced():
        return f"{_were(functions)} replaced"
    return ""


def is_followed() -> bool:
    """Whether a debugger, or another tracer of lines, follows the program."""
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
    return sys.gettrace() is not None or bool(monitoring and monitoring.get_tool(0))


def _were(names: list[str]) -> str:
    """`a was`, `a and b were`, `a, b, c and 69 more were`: up to three names."""
    *others, last = [*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])]
    return f"{', '.join(others)} and {last} were" if others else f"{last} was"
