"""What takes long and needs nothing of the tests: done beside them, in a process of its own.

python tests/beside.py FILE        compiles kernels, and leaves the certificate's reports in FILE
"""

import os
import pickle
import sys
from pathlib import Path

from scratchgen.gradcheck.certificate import certify
from scratchgen.kernels.twins import compiles, twins
from scratchgen.warming import call_all


def main(file: Path) -> None:
    reports = None  # unless all goes well: then who waits for them makes them
    try:
        if compiles():
            with twins():
                for dtype in ("float32", "float64"):
                    call_all(dtype)
        reports = certify(seed=0)
    finally:
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_bytes(pickle.dumps(reports))
        os.replace(unfinished, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
