"""What runs here: scratchgen, Python, NumPy, and which optional packages are installed."""

from importlib.util import find_spec

import numpy as np

from .errors import MissingExtraError

__version__ = "0.1.0"

# package -> the extra that installs it, and what it is for
OPTIONAL = {
    "numba": ("fast", "compiled kernels"),
    "matplotlib": ("plot", "pictures"),
    "tqdm": ("all", "progress bars"),
    "hypothesis": ("test", "drawn cases"),
}


def is_installed(package: str) -> bool:
    """Whether `package` can be imported, found out without importing it."""
    return find_spec(package) is not None


def require(package: str, what: str) -> None:
    """Raise MissingExtraError, naming the extra to install, unless `package` is installed."""
    if not is_installed(package):
        extra, _ = OPTIONAL[package]
        raise MissingExtraError(
            f'{what} needs {package}, which is not installed: pip install "scratchgen[{extra}]"'
        )


def show_versions() -> None:
    """Print the versions that a bug report needs."""
    import platform
    from importlib.metadata import version

    print(f"scratchgen  {__version__}")
    print(f"python      {platform.python_version()} ({platform.system()} {platform.machine()})")
    print(f"numpy       {np.__version__}")
    for package, (extra, purpose) in OPTIONAL.items():
        if is_installed(package):
            print(f"{package:<11} {version(package)}")
        else:
            print(f'{package:<11} missing: {purpose} need pip install "scratchgen[{extra}]"')
