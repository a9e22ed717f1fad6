"""Compiled kernels are object files; LLVM loads them without numba, whose import takes longer.

`loaded` returns the addresses by which blocks.py and threads.py run a kernel.
"""

import functools
import re
from typing import Any, NamedTuple

import llvmlite.binding as llvm

from . import target


class Addresses(NamedTuple):
    """Where the machine code of a kernel begins."""

    kernel: int  # (part, parts, block): see blocks.py
    objects: int  # (part, parts, NumPy's objects)
    on_thread: int  # a part of the kernel on a thread of a pool: see threads.py


def symbols(name: str) -> list[str]:
    """The names of a kernel's three functions in its object file, which no other file has."""
    unique = re.sub(r"\W", "_", name)
    return [f"scratchgen_{field}_{unique}" for field in Addresses._fields]


def loaded(name: str, code: bytes) -> Addresses:
    """Load an object file, for the rest of the process, and return the addresses in it."""
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Addresses(*map(engine.get_function_address, symbols(name)))


@functools.cache
def _engine() -> Any:
    """LLVM's loader, which owns all machine code that it has loaded."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=target.name(), features=target.features(), codemodel="jitdefault", jit=True
    )
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
