"""Instructions that numba's loops have no words for: calls by address, atomic numbers, pauses.

A table of plans.py holds addresses of kernels, and its threads wait for each other here. Only code
that is being compiled imports this file.
"""

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .vectors import INT32, INT64, Value

KERNEL_TYPE = ir.FunctionType(INT32, [INT64] * 3)  # of a kernel: (part, parts, block)
PATIENCE = 10_000  # spins; on x86, some tenths of a millisecond
_X86 = llvmlite.binding.get_default_triple().startswith(("x86_64", "i686"))
_YIELD = llvmlite.binding.address_of_symbol("sched_yield") is not None  # Windows has none


def _intrinsic(n: int, emit: Any) -> Any:
    """A function of n whole numbers for numba's loops, whose instructions `emit` writes."""
    names = ", ".join("abcde"[:n])
    kind = types.intp(*[types.intp] * n)

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return emit(builder, *values)

    scope: dict[str, Any] = {"kind": kind, "code": code}
    exec(f"def {emit.__name__}(typing_context, {names}): return kind, code", scope)
    return intrinsic(scope[emit.__name__])


def _call_by_address(b: Any, kernel: Value, part: Value, parts: Value, block: Value) -> Value:
    """Run the kernel at that address; 0 unless it failed."""
    status = b.call(b.inttoptr(kernel, KERNEL_TYPE.as_pointer()), [part, parts, block])
    return b.sext(status, INT64)


def _add(b: Any, address: Value, n: Value) -> Value:
    """Add n to the number there, atomically; return what it was before."""
    return b.atomic_rmw("add", b.inttoptr(address, INT64.as_pointer()), n, "seq_cst")


def _replace_if(b: Any, address: Value, old: Value, new: Value) -> Value:
    """Compare and swap, atomically: write `new` if `old` is there; return what was there."""
    place = b.inttoptr(address, INT64.as_pointer())
    return b.extract_value(b.cmpxchg(place, old, new, "seq_cst"), 0)


def _read(b: Any, address: Value) -> Value:
    """The number there; what was written before it is visible from now on (acquire)."""
    return b.load_atomic(b.inttoptr(address, INT64.as_pointer()), "acquire", 8)


def _pause(b: Any, spins: Value) -> Value:
    """Wait for some nanoseconds, and after many spins yield the CPU to other threads.

    It returns `spins`, because an intrinsic has to return something.
    """
    if _X86:
        b.call(_declared(b, "llvm.x86.sse2.pause", ir.VoidType()), [])
    if _YIELD:
        many = b.icmp_signed(">", spins, ir.Constant(INT64, PATIENCE))
        with b.if_then(many, likely=False):
            b.call(_declared(b, "sched_yield", INT32), [])
    return spins


def _next_bits(b: Any, function: Value, state: Value) -> Value:
    """function(state): the next 32 bits of one of NumPy's generators."""
    kind = ir.FunctionType(INT32, [INT64])
    return b.zext(b.call(b.inttoptr(function, kind.as_pointer()), [state]), INT64)


def _declared(b: Any, name: str, result: Any) -> Any:
    known = b.module.globals.get(name)
    return known or ir.Function(b.module, ir.FunctionType(result, []), name)


call_by_address, add = _intrinsic(4, _call_by_address), _intrinsic(2, _add)
read, replace_if, pause = _intrinsic(1, _read), _intrinsic(3, _replace_if), _intrinsic(1, _pause)
next_bits = _intrinsic(2, _next_bits)
