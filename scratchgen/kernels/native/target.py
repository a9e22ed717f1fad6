"""Which CPU code is generated for, and how long its vectors are.

                    AVX-512     AVX2 with FMA     ARM (NEON)     any other
    bits a vector   512         256               128            0, no tiles
    registers       32          16                32

numba generates code for this CPU, unless NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name another. The
vectors of this folder are those of the same CPU, so what an AVX2 CPU would run can be generated,
read and tested on one with AVX-512:

    NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.2

SCRATCHGEN_VECTOR_BITS shortens the vectors alone: registers and masks stay those of the CPU.
"""

import os

import llvmlite.binding

from ...ground.errors import OptionError

LENGTHS = (512, 256, 128, 0)


def name() -> str:
    """LLVM's name for the CPU, such as znver3."""
    return os.environ.get("NUMBA_CPU_NAME") or str(llvmlite.binding.get_host_cpu_name())


def features() -> str:
    """The CPU's features as LLVM lists them: +avx2,-avx512f and so on."""
    # of a "generic" CPU numba assumes no features, whatever the machine has
    assumed = "" if name().lower() == "generic" else None
    named = os.environ.get("NUMBA_CPU_FEATURES", assumed)
    return _host_features() if named is None else named


def _host_features() -> str:
    try:
        return str(llvmlite.binding.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM knows none of this CPU
        return ""


def _longest() -> int:
    """The bits of the CPU's longest vectors that we use."""
    available = set(features().split(","))
    if "+avx512f" in available:
        return 512
    if {"+avx2", "+fma"} <= available:
        return 256
    triple = llvmlite.binding.get_process_triple()
    is_arm = triple.startswith(("aarch64", "arm64")) or "+neon" in available
    return 128 if is_arm else 0


def _bits() -> int:
    wanted = os.environ.get("SCRATCHGEN_VECTOR_BITS", str(LENGTHS[0]))
    if wanted not in map(str, LENGTHS):
        raise OptionError(f"SCRATCHGEN_VECTOR_BITS={wanted}: wants 0, 128, 256 or 512")
    return min(int(wanted), _longest())


BITS = _bits()
