"""The other tools: which of them are installed, and in which Python."""

import functools
import subprocess
import sys

from .settings import PEERS, Settings
from .workers import Worker

TOOLS = ("torch", "jax", "tensorflow")
ASK = "import importlib.util as u, sys; sys.exit(any(u.find_spec(p) is None for p in sys.argv[1:]))"


@functools.cache
def has(python: str, *packages: str) -> bool:
    """Whether that Python has all the packages; they are not imported."""
    try:
        return not subprocess.run([python, "-c", ASK, *packages], capture_output=True).returncode
    except OSError:
        return False


def python_for(pythons: tuple[str, ...], *packages: str) -> str:
    """The first Python that has all the packages; "" if none has."""
    return next((python for python in pythons if has(python, *packages)), "")


def why_not(settings: Settings, *packages: str) -> str:
    """Why the packages cannot take part, in a sentence; "" if they can."""
    names = " and ".join(packages)
    if not PEERS.is_dir():
        return f"{names}: not compared, because only a checkout has their models, in tests/"
    if not python_for(settings.pythons, *packages):
        return f"{names}: not installed here; --peers-python names a Python that has it"
    return ""


def peer(settings: Settings, tool: str, *arguments: str) -> Worker:
    """A worker that trains with that tool."""
    command = [python_for(settings.pythons, tool), "-m", "peers.worker", tool, *arguments]
    return Worker(tool, command, settings.environment())


def ours(settings: Settings, name: str, *arguments: str, **environment: str) -> Worker:
    """A worker that runs scratchgen."""
    command = [sys.executable, "-m", "scratchgen.bench.ours", *arguments]
    return Worker(name, command, settings.environment(**environment))
