"""Are the kernels right on ARM? Their tests, on a machine without an ARM CPU.

    python tests/proofs/arm.py                                 hours: numba compiles under emulation
    python tests/proofs/arm.py test_products.py test_norms.py  some files of tests/kernels

QEMU (Debian: apt-get install qemu-user) runs programs for ARM on another CPU. Debian's Python for
ARM and the wheels of numpy, numba and pytest are downloaded into a folder, and nothing is
installed. The emulated CPU has vectors of 128 bits (NEON), which kernels/native/ then writes, and
our products run, not NumPy's. Times mean nothing here: `scratchgen bench loops` has the cycles.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from shared import arguments, heading, table, write

ROOT = Path(__file__).parent.parent.parent
QEMU = "qemu-aarch64"
DEBIAN = ("python{python}", "libstdc++6", "libgomp1")  # the last: numba's threads
FORBIDDEN = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
WHEELS = ("numpy", "numba", "llvmlite", "pytest", "hypothesis")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64",
             "manylinux2014_aarch64")  # fmt: skip
ABOUT = """
import platform, sys, numba, numpy
from scratchgen.kernels.native import target
print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {numpy.__version__}, "
      f"numba {numba.__version__}, vectors of {target.BITS} bits")
"""


def main() -> None:
    options = parsed()
    if shutil.which(QEMU) is None or shutil.which("apt-get") is None:
        sys.exit(f"needs Debian's apt-get, and {QEMU}: apt-get install qemu-user")
    heading("Tests of the kernels on an emulated ARM CPU")
    python = made_ready(options.folder, options.python)
    about = run([str(python), "-c", ABOUT], env=environment()).strip()
    emulator = run([QEMU, "--version"]).splitlines()[0]
    print(f"  {about}\n  {emulator}\n", flush=True)
    rows: list[tuple[str, ...]] = [("", "passed", "skipped", "failed", "seconds")]
    figures: dict[str, dict[str, float]] = {}
    for file in options.files or sorted(x.name for x in (ROOT / "tests/kernels").glob("test_*.py")):
        figures[file] = counts = tested(python, file, options.folder, options.seconds)
        rows.append((file, *(f"{counts[head]:.0f}" for head in rows[0][1:])))
        print(f"  {'  '.join(rows[-1])}", file=sys.stderr, flush=True)
    totals = (f"{sum(counts[head] for counts in figures.values()):.0f}" for head in rows[0][1:])
    table([*rows, ("all", *totals)], "<>>>>")
    write(options.out, {"about": about, "emulator": emulator, "files": figures})
    sys.exit(any(counts["failed"] for counts in figures.values()))


def parsed() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="of tests/kernels; default: all")
    folder = Path(tempfile.gettempdir()) / "scratchgen-arm"
    parser.add_argument("--folder", type=Path, default=folder, help="for what is downloaded")
    parser.add_argument("--python", default="3.11", help="the version that this Debian has")
    parser.add_argument("--seconds", type=float, default=3600, help="at most for a file")
    return parser.parse_args()


def made_ready(folder: Path, python: str) -> Path:
    """A script that runs Python for ARM, with all that the tests import."""
    root, packages, script = folder / "root", folder / "packages", folder / "python"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unpack_debian(folder, root, [name.format(python=python) for name in DEBIAN])
        unpack_wheels(folder, packages, python)
    command = [
        "exec", QEMU, "-L", root, "-0", script,  # so sys.executable is this script
        "-E", f"PYTHONHOME={root}/usr", "-E", f"PYTHONPATH={ROOT}:{packages}",
        "-E", f"NUMBA_CACHE_DIR={folder}/cache", f"{root}/usr/bin/python{python}",
    ]  # fmt: skip
    script.write_text(f'#!/bin/sh\n{" ".join(map(str, command))} "$@"\n')
    script.chmod(0o755)
    return script


def unpack_debian(folder: Path, root: Path, names: Sequence[str]) -> None:
    """These packages, and those that they depend on, for ARM; apt's own lists stay as they are."""
    for path in ("state/lists/partial", "cache/archives/partial", "debs"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "state/status").touch()
    settings = {
        "APT::Architecture": "arm64", "APT::Architectures": "arm64", "APT::Sandbox::User": "",
        "Dir::State": f"{folder}/state", "Dir::State::status": f"{folder}/state/status",
        "Dir::Cache": f"{folder}/cache",
    }  # fmt: skip
    apt = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run(["apt-get", *apt, "update"])
    only = [f"--no-{kind}" for kind in FORBIDDEN]
    depends = run(["apt-cache", *apt, "depends", "--recurse", *only, *names])
    needed = {line for line in depends.splitlines() if line[:1].isalnum()}
    run(["apt-get", *apt, "download", *sorted(needed)], cwd=folder / "debs")
    for package in (folder / "debs").glob("*.deb"):
        run(["dpkg", "-x", str(package), str(root)])


def unpack_wheels(folder: Path, packages: Path, python: str) -> None:
    """The versions that this Python has, for ARM."""
    wanted = [f"{name}=={metadata.version(name)}" for name in WHEELS]
    tags = [word for tag in PLATFORMS for word in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:", *tags]
    run([*command, "--python-version", python, "--target", str(packages), *wanted])
    (folder / "cache").mkdir(exist_ok=True)


def environment() -> dict[str, str]:
    return {**os.environ, "SCRATCHGEN_PRODUCTS": "ours", "CI": "true"}


def tested(python: Path, file: str, folder: Path, seconds: float) -> dict[str, float]:
    """How many tests of the file passed, were skipped and failed, and the seconds that it took."""
    results = folder / "results.xml"
    results.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}"]
    began = time.perf_counter()
    log = folder / f"{Path(file).stem}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, f"tests/kernels/{file}"],
            cwd=ROOT, env=environment(), stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    took = time.perf_counter() - began
    if not results.exists():
        print(f"  {file}: no result, see {log}", file=sys.stderr)
        return {"passed": 0, "skipped": 0, "failed": 1, "seconds": took}
    suites = list(xml.parse(results).getroot().iter("testsuite"))
    tests, skipped, *bad = (
        sum(int(suite.get(key, 0)) for suite in suites)
        for key in ("tests", "skipped", "failures", "errors")
    )
    failed = sum(bad)
    passed = tests - skipped - failed
    return {"passed": passed, "skipped": skipped, "failed": failed, "seconds": took}


def run(command: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a command prints; its errors end this script."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
