"""argparse with our error messages: short, and with the nearest name that there is.

An error is one to three lines on stderr.
"""

import argparse
from typing import Any, NoReturn

from ..ground.arguments import nearest, one_of
from ..ground.errors import OptionError, printable
from ..ground.printing import to_stderr
from ..ground.tables import WIDTH, paragraph


def complain(text: str) -> None:
    """Print an error on stderr: at most three lines of a terminal's width, all printable."""
    text = "scratchgen: " + printable(" ".join(text.split()))
    most, lines = len(text), paragraph(text)
    while len(lines) > 3:  # the middle is left out, because the advice stands at the end
        most = min(most, 3 * WIDTH) - 1
        lines = paragraph(f"{text[: most - WIDTH]} ... {text[-WIDTH + 10 :]}")
    to_stderr(*lines)


class Parser(argparse.ArgumentParser):
    """The parser of `scratchgen` or of one of its commands."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)

    def refuse(self, word: str) -> NoReturn:
        """End with an error about a word that this command does not take."""
        if not word.startswith("-"):
            self.error(f"one word too many: {word!r}")
        known = [option for action in self._actions for option in action.option_strings]
        self.error(f"{self.prog} has no option {word.split('=')[0]}{nearest(word, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = action.option_strings[0] if action.option_strings else str(action.metavar)
            try:
                one_of(value, action.choices, what)
            except OptionError as problem:
                self.error(str(problem))
