"""The command `scratchgen`: it reads the command line, runs one command, and returns an exit code.

An error is one to three lines on stderr. The exit code is 0 after success, 1 after an error in data
or files, and 2 after a mistake on the command line, such as an unknown option. After a signal it is
128 plus the number of the signal, as in a shell: 130 after Ctrl-C.
"""

import argparse
import io
import signal
import sys
from collections.abc import Sequence

from ..ground.errors import OptionError, ScratchgenError
from ..ground.printing import give_up_stdout
from . import user_objects
from .argument_parser import complain
from .parser import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show is no error
    try:
        words = [*(sys.argv[1:] if arguments is None else arguments)]
        options, rest = build_parser().parse_known_args(words, argparse.Namespace(words=words))
        if rest:
            options.parser.refuse(rest[0])
        for module in getattr(options, "modules", ()):
            user_objects.import_module(module)
        return int(options.command(options))
    except OptionError as problem:
        complain(str(problem))
        return 2
    except ScratchgenError as problem:
        complain(str(problem))
        return 1
    except MemoryError:
        complain("not enough memory: try smaller --hidden, --latent, --batch-size or -n")
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the program that read our output has ended
        give_up_stdout()
        return 1
    except OSError as problem:  # a full disk, for example
        give_up_stdout()
        complain(f"{problem.filename or 'writing'}: {problem.strerror or problem}")
        return 1
