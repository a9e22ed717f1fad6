"""Whether what was recorded may run in the place of what is written.

Only kernels are recorded. So a part may be replayed if its class is of this package, where kernels
do everything; what a user's own part does is not known. And nothing is replayed where the text is
not the published one (fingerprints.py, replaced.py), or while a debugger follows the program.
"""

import os
import sys
from typing import Any

from ..ground.errors import OptionError
from . import fingerprints, replaced

VARIABLE = "SCRATCHGEN_REPLAY"
PACKAGE = f"{__name__.split('.')[0]}."


def is_ours(part: Any) -> bool:
    """Whether the class of a part is of this package, and the part has no method of its own."""
    kind = type(part)
    own = getattr(part, "__dict__", ())
    return kind.__module__.startswith(PACKAGE) and not any(
        callable(getattr(kind, name, None)) for name in own
    )


def asked(replay: bool | None) -> bool | None:
    """What was asked for, or, where that is None, what SCRATCHGEN_REPLAY says. OptionError."""
    if replay is not None:
        if not isinstance(replay, bool):
            raise OptionError(
                f"replay={replay!r}: wants True, False, or None, which decides itself"
            )
        return replay
    said = os.environ.get(VARIABLE)
    if said not in (None, "0", "1"):
        raise OptionError(f"{VARIABLE}={said}: wants 0 or 1")
    return None if said is None else said == "1"


def why_not() -> str:
    """Why the text that would be replayed is not the one that was published; "" if it is."""
    if files := fingerprints.edited():
        return f"{_listed([f'scratchgen/{file}' for file in files])} was edited"
    if functions := replaced.replaced():
        return f"{_listed(functions)} was replaced"
    return ""


def is_followed() -> bool:
    """Whether a debugger, or whatever else traces lines, follows the program."""
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
    return sys.gettrace() is not None or bool(monitoring and monitoring.get_tool(0))


def _listed(names: list[str]) -> str:
    """Up to three names."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
