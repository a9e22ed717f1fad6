"""What an ARM CPU would run can be read on x86, and the reverse: LLVM compiles for both.

    assembly_for("neoverse-v1", "aarch64-unknown-linux-gnu", text)

`text` is a function in LLVM's language, as numba writes it with NUMBA_OPT=0: nothing is optimised.
LLVM optimises it here for the CPU, with the passes that numba has. Only code that reads assembly
imports this file.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm

FULL = 3  # LLVM's levels: all passes, or few


def assembly_for(cpu: str, triple: str, text: str) -> str:
    """The assembly for that CPU; `triple` is LLVM's name of its architecture and system."""
    machine, builder = _compiler(cpu, triple)
    text = re.sub(r"target triple = .*", f'target triple = "{triple}"', text)
    text = re.sub(r"target datalayout = .*", f'target datalayout = "{machine.target_data}"', text)
    module = llvm.parse_assembly(text)
    for function in module.functions:
        if not function.is_declaration:
            builder(FULL).getFunctionPassManager().run(function, builder(FULL))
    first = builder(0).getModulePassManager()  # numba's own, before all others
    first.add_loop_rotate_pass()
    first.add_instruction_combine_pass()
    first.add_jump_threading_pass()
    for level, passes in ((0, first), (FULL, builder(FULL).getModulePassManager())):
        passes.add_refprune_pass()
        passes.run(module, builder(level))
    return str(machine.emit_assembly(module))


@functools.cache
def _compiler(cpu: str, triple: str) -> tuple[Any, Callable[[int], Any]]:
    """LLVM's description of the CPU, and the passes of a level."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=cpu, opt=FULL, codemodel="jitdefault", jit=True)

    @functools.cache
    def builder(level: int) -> Any:
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization, options.slp_vectorization = level > 0, False
        return llvm.create_pass_builder(machine, options)

    return machine, builder
