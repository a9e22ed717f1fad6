"""The code of our kernels for a CPU that need not be there, and the innermost loops in it.

    python -m scratchgen.bench.foreign_code CPU [products]       prints them as JSON

A process of its own compiles every kernel of the list for that CPU and runs none. numba compiles
for a CPU of the machine's architecture by itself; NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name it.
For ARM on x86, or x86 on ARM, numba writes LLVM's language alone, with vectors as long as the
CPU's and nothing optimised yet. llvmlite then has LLVM optimise it for the CPU, with the same
passes that numba has.
"""

import functools
import inspect
import json
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from ..kernels import blocking, compiling, plans
from ..kernels.cases import case, kernels
from ..kernels.formulas import by_loops
from ..kernels.recording import Call, recording
from .assembly import inner_loops

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
AVX2 = "+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.2,+f16c,+movbe"
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
ROWS, COLUMNS = 8, 32  # of a case: the code is the same for any
function: Any = None  # of native/, in `alone`


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
    """The innermost loops of each kernel as plain values, in a process with that environment.

    wanted = "products" leaves out what is no part of a product.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, call in [*products(), *(others() if wanted != "products" else ())]:
        found[name] = [asdict(loop) for loop in inner_loops(assembly(call, cpu))]
    return found


def products() -> Iterator[tuple[str, Call]]:
    """The functions of native/ that products are made of, and the one that measures the peak."""
    from ..kernels.native import peak, tiles

    of_tiles = (x for x in vars(blocking).values() if isinstance(x, compiling.FromLLVM))
    for stand_in in (*of_tiles, compiling.FromLLVM(peak.multiply_add.__name__, "peak")):
        function = getattr(peak if stand_in.file == "peak" else tiles, stand_in.name)
        if callable(function):
            count = len(inspect.signature(function).parameters) - 2  # numba's context, and `like`
            loop = compiling.with_names(alone, stand_in.name, {"function": stand_in})
            for dtype in DTYPES:
                yield f"{stand_in.name} {dtype}", Call(loop, (np.zeros(1, dtype), (1,) * count), 1)


def alone(_part, _parts, like, whole_numbers):  # type: ignore[no-untyped-def] # as all loops
    function(like, *whole_numbers)


def others() -> Iterator[tuple[str, Call]]:
    """The kernels of the list, as they are called; none runs, as its code is of another CPU."""
    plans.in_one_part = lambda call: None  # noqa: ARG005
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
        return retargeted(library.get_llvm_str(), cpu)
    return str(library.get_asm_str())


def retargeted(text: str, cpu: str) -> str:
    """LLVM's language, not optimised and of another architecture, as assembly for that CPU."""
    import llvmlite.binding as llvm

    machine, builder = _machine(cpu)
    text = re.sub(r"target triple = .*", f'target triple = "{CPUS[cpu][0]}"', text)
    text = re.sub(r"target datalayout = .*", f'target datalayout = "{machine.target_data}"', text)
    module = llvm.parse_assembly(text)
    for function in module.functions:
        if not function.is_declaration:
            passes = builder(3).getFunctionPassManager()
            passes.run(function, builder(3))
    first = builder(0).getModulePassManager()  # as numba does before its own pass
    first.add_loop_rotate_pass()
    first.add_instruction_combine_pass()
    first.add_jump_threading_pass()
    for level, passes in ((0, first), (3, builder(3).getModulePassManager())):
        passes.add_refprune_pass()
        passes.run(module, builder(level))
    return str(machine.emit_assembly(module))


@functools.cache
def _machine(cpu: str) -> tuple[Any, Callable[[int], Any]]:
    """LLVM's description of the CPU, and its passes by their level."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(CPUS[cpu][0])
    machine = target.create_target_machine(cpu=cpu, opt=3, codemodel="jitdefault", jit=True)

    @functools.cache
    def builder(level: int) -> Any:
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = options.slp_vectorization = level > 0
        return llvm.create_pass_builder(machine, options)

    return machine, builder


if __name__ == "__main__":
    print(json.dumps(loops_by_kernel(*sys.argv[1:])))
