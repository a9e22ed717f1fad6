"""`python -m scratchgen` is the command `scratchgen`."""

import sys


def main() -> int:
    """Run the command; returns the exit code. Importing takes a moment, too."""
    try:
        from .command.entry import main
    except KeyboardInterrupt:
        print("scratchgen: interrupted", file=sys.stderr)
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(main())
