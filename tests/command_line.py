"""The command line, as its tests call it."""

from scratchgen.command import entry


def run(*arguments: str) -> int:
    """The exit code of the command `scratchgen` with these arguments."""
    try:
        return entry.main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
