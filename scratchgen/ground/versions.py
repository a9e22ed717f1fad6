"""Versions of scratchgen, Python, NumPy and the optional packages that are installed."""

from importlib.util import find_spec

import numpy as np

from .errors import MissingExtraError

__version__ = "0.1.0"

OPTIONAL = {  # package -> what it is for
    "numba": "compiled kernels",
    "matplotlib": "pictures",
    "tqdm": "progress bars",
    "hypothesis": "drawn cases",
}


def is_installed(package: str) -> bool:
    """Whether `package` can be imported; it is not imported to find out."""
    return find_spec(package) is not None


def to_install(package: str) -> str:
    """The command that installs an optional package.

    It names the package itself, because on PyPI the name scratchgen belongs to another project.
    """
    return f"pip install {package}"


def require(package: str, what: str) -> None:
    """Raise MissingExtraError, with the command to install it, unless `package` is installed."""
    if not is_installed(package):
        raise MissingExtraError(
            f"{what} needs {package}, which is not installed: {to_install(package)}"
        )


def show_versions() -> None:
    """Print the versions that belong in a bug report."""
    import platform
    from importlib.metadata import version

    print(f"scratchgen  {__version__}")
    print(f"python      {platform.python_version()} ({platform.system()} {platform.machine()})")
    print(f"numpy       {np.__version__}")
    for package, purpose in OPTIONAL.items():
        if is_installed(package):
            print(f"{package:<11} {version(package)}")
        else:
            print(f"{package:<11} missing: {purpose} need {to_install(package)}")
