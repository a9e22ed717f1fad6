"""The code of our kernels for a CPU that need not be there, and the innermost loops in it.

    python -m scratchgen.bench.foreign_code CPU [products]       prints the loops as JSON

A process of its own compiles every kernel of KERNELS for that CPU and runs none. For a CPU of the
machine's architecture numba does it alone; NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name the CPU. For
ARM on x86, or x86 on ARM, numba only translates a kernel into LLVM's language, with vectors as long
as that CPU's, and kernels/native/retargeting.py does the rest.
"""

import inspect
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from ..kernels import compiling, plans
from ..kernels.cases import case, kernels
from ..kernels.formulas import by_loops
from ..kernels.recording import Call, recording
from .assembly import inner_loops
from .instruction_sets import AVX2

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
AVX512 = f"{AVX2},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
CPUS = {
    "haswell": (X86, AVX2),
    "skylake": (X86, AVX2),
    "znver2": (X86, AVX2),
    "znver3": (X86, AVX2),
    "znver4": (X86, AVX512),
    "znver5": (X86, AVX512),
    "neoverse-v1": (ARM, "+neon"),
    "apple-m1": (ARM, "+neon"),
}
DTYPES = ("float32", "float64")
KERNELS = (  # where the time of training goes, beside the products
    "sigmoid_of_floats", "log_prob_bernoulli", "log_prob_gaussian", "log_prob_shared_gaussian",
    "draw_and_kl", "draw_and_kl_backward", "adam_step", "ReLU.activate", "ReLU.times_slope",
    "Tanh.activate", "GELU.activate", "GELU.times_slope", "SiLU.activate", "Softplus.activate",
    "layer_norm", "column_moments", "batch_norm", "logistic_discriminator", "sum_blocks",
    "add_in_place", "take_rows",
)  # fmt: skip
ROWS, COLUMNS = 8, 32  # of the arguments: the code is the same for any
function: Any = None  # for which `products` puts a function of native/


def is_foreign(cpu: str) -> bool:
    """Whether this machine is of another architecture than that CPU."""
    here = platform.machine().lower()
    return (CPUS[cpu][0] == X86) != (here in ("x86_64", "amd64"))


def environment(cpu: str) -> dict[str, str]:
    """The variables by which numba and native/target.py write code for that CPU."""
    variables = {
        "NUMBA_CPU_FEATURES": CPUS[cpu][1],
        "SCRATCHGEN_JIT": "1",
        "NUMBA_DISABLE_JIT": "0",
    }
    if is_foreign(cpu):
        any_cpu = "generic" if CPUS[cpu][0] == X86 else "x86-64"
        return {**variables, "NUMBA_CPU_NAME": any_cpu, "NUMBA_OPT": "0"}
    return {**variables, "NUMBA_CPU_NAME": cpu}


def loops_by_kernel(cpu: str, wanted: str = "") -> dict[str, list[dict[str, Any]]]:
    """The innermost loops of each kernel as plain values, in a process with `environment(cpu)`.

    wanted = "products" leaves out what is no part of a product.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, call in [*products(), *(others() if wanted != "products" else ())]:
        found[name] = [asdict(loop) for loop in inner_loops(assembly(call, cpu))]
    return found


def products() -> Iterator[tuple[str, Call]]:
    """The functions of native/ that products are made of, and the one that measures the peak."""
    from ..kernels.native import peak, tiles

    named = {**vars(tiles), peak.multiply_add.__name__: peak.multiply_add}
    for name, function in named.items():
        takes = list(inspect.signature(function).parameters) if callable(function) else []
        if takes[:2] != ["typing_context", "like"]:  # no function by `instructions`
            continue
        loop = compiling.with_names(alone, name, {"function": function})
        for dtype in DTYPES:
            args = np.zeros(1, dtype), (1,) * len(takes[2:])
            yield f"{name} {dtype}", Call(loop, args, 1)


def alone(_part, _parts, like, whole_numbers):  # type: ignore[no-untyped-def] # as all loops
    function(like, *whole_numbers)


def others() -> Iterator[tuple[str, Call]]:
    """The calls of the kernels of KERNELS; none runs, because its code is for another CPU."""
    plans.in_one_part = lambda call: None  # noqa: ARG005 - called with a kernel, which must not run
    with by_loops():
        for name in KERNELS:
            with recording() as notes:
                kernels()[name].call(*case(name, ROWS, COLUMNS, "float32", 0))
            (call,) = (event for event in notes.events if isinstance(event, Call))
            yield name, call


def assembly(call: Call, cpu: str) -> str:
    """The assembly of a kernel for those arguments, and of the functions that it calls."""
    dispatcher = compiling.compiled(call.loop)
    kinds = compiling.types_of_arguments(call.loop, call.args)
    dispatcher.compile(kinds)
    library = dispatcher.overloads[kinds].library
    if is_foreign(cpu):
        from ..kernels.native.retargeting import assembly_for

        return assembly_for(cpu, CPUS[cpu][0], library.get_llvm_str())
    return str(library.get_asm_str())


if __name__ == "__main__":
    print(json.dumps(loops_by_kernel(*sys.argv[1:])))
