"""Every tool runs as on a CPU without AVX-512, for measurements of AVX2 on a CPU that has both.

A library looks at the CPU when it starts and chooses its vectors. An environment variable can make
it choose shorter ones:

    numba, and our vectors     NUMBA_CPU_NAME, NUMBA_CPU_FEATURES
    NumPy                      NPY_DISABLE_CPU_FEATURES
    NumPy's OpenBLAS           OPENBLAS_CORETYPE
    torch                      ATEN_CPU_CAPABILITY; what it compiles, TORCHINDUCTOR_CPP_MARCH
    MKL, in torch              MKL_ENABLE_INSTRUCTIONS; on an AMD CPU it has no AVX-512 anyway
    oneDNN, in torch, jax and
      tensorflow               ONEDNN_MAX_CPU_ISA
    XLA, in jax and tensorflow XLA_FLAGS: max_isa, and no YNNPACK
    the C library              GLIBC_TUNABLES, for memcpy and the like

YNNPACK, which multiplies matrices for XLA, asks the CPU itself and has no such setting. Without it
XLA uses Eigen with oneDNN. onnxruntime has no setting either, and is left out.
"""

import os
import platform
from collections.abc import Mapping

import numpy as np

from ..ground.errors import OptionError

AVX2 = "+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.2,+f16c,+movbe"  # LLVM's names
VARIABLES = {
    "NUMBA_CPU_NAME": "znver3",
    "NUMBA_CPU_FEATURES": AVX2,
    "NPY_DISABLE_CPU_FEATURES": (
        "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
    ),  # each version of NumPy knows some of them and ignores the others
    "OPENBLAS_CORETYPE": "Zen",
    "ATEN_CPU_CAPABILITY": "avx2",
    "TORCHINDUCTOR_CPP_MARCH": "znver3",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW",
}
XLA = ("--xla_cpu_max_isa=AVX2", "--xla_cpu_experimental_ynn_fusion_type=")


def variables(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables for AVX2; flags for XLA that are already `given` stay."""
    flags = given.get("XLA_FLAGS", "").split()
    return {**VARIABLES, "XLA_FLAGS": " ".join([*flags, *(f for f in XLA if f not in flags)])}


def in_force(given: Mapping[str, str] = os.environ) -> bool:
    """Whether the variables for AVX2 are all set, in this process and so in its children."""
    return all(given.get(name) == value for name, value in variables(given).items())


def remarks(given: Mapping[str, str] = os.environ) -> list[str]:
    """A line about variables that restrict only some tools, which makes a comparison unfair."""
    if in_force(given):
        return []
    flags = given.get("XLA_FLAGS", "").split()
    some = [name for name in VARIABLES if name in given]
    some += [flag for flag in flags if flag.startswith(XLA[0].split("=")[0])]
    if not some:
        return []
    return [f"{', '.join(some)} set: not every tool chooses its instructions by this CPU"]


def available() -> set[str]:
    """NumPy's names of the instruction sets that this CPU has and NumPy may use."""
    sets = np.show_config(mode="dicts")["SIMD Extensions"]
    return {*sets.get("baseline", ()), *sets.get("found", ())}


def longest() -> str:
    """`AVX-512`, `AVX2` or another name of the longest vectors that NumPy finds here."""
    names = available()
    if any(name == "X86_V4" or name.startswith("AVX512") for name in names):
        return "AVX-512"
    if names & {"X86_V3", "AVX2"}:
        return "AVX2"
    return "NEON" if any(name.startswith(("NEON", "ASIMD")) for name in names) else "other vectors"


def expect_avx2() -> None:
    """Refuse a CPU that could not run the code."""
    if longest() not in ("AVX-512", "AVX2"):
        raise OptionError(
            f"--vectors avx2: wants a CPU with AVX2, and this one ({platform.machine()}) has "
            f"{longest()}; leave out --vectors"
        )
