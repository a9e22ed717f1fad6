"""Python unpacks the arguments of a compiled function at each call, so replays call by address.

    caller(function, part, parts, block) = function(part, parts, *the numbers in the block)  (1)

Numbers, and the addresses, sizes and strides of arrays, are unpacked once, into a block: 8 bytes
for each number that numba passes. A caller, a trampoline, reads them from there; it serves all
functions of the same type. Threads also wait for each other here. Only the code that runs compiled
kernels imports this file.
"""

import array
import ctypes
import itertools
import struct
from collections.abc import Sequence
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

from ...ground.arguments import Array
from .vectors import INT32, INT64, Value

TYPE = ir.FunctionType(INT32, [INT64] * 4)  # of a caller
_callers: dict[str, tuple[Any, int]] = {}  # by the function's type: library and address
_modules = itertools.count()


def pack(args: Sequence[Any]) -> "array.array[int]":
    """The arguments as numba passes them, 8 bytes for each number."""
    numbers: list[Any] = []
    for x in args:
        if isinstance(x, np.ndarray):
            # the first two are numba's reference counts, 0 for memory that it does not own
            numbers += (0, 0, x.size, x.itemsize, _address(x), *x.shape, *x.strides)
        elif isinstance(x, tuple):
            numbers += map(_bits, x)
        else:
            numbers.append(_bits(x))
    return array.array("q", numbers)


def _address(x: Array) -> int:
    """The address of the first number; by far the fastest way comes first."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(x.data))
    except (TypeError, ValueError, BufferError):  # memory that is read-only, empty, or in pieces
        return x.ctypes.data


def _bits(number: Any) -> int:
    """A number's bits, read as a whole number."""
    if isinstance(number, np.float32):
        return int(struct.unpack("q", struct.pack("f4x", number))[0])
    if isinstance(number, float):
        return int(struct.unpack("q", struct.pack("d", number))[0])
    return int(number)


@global_compiler_lock
def addresses(results: Sequence[Any]) -> list[tuple[int, int]]:
    """For numba's results of compiling functions: the caller's address and the function's."""
    new = {str(kind): kind for kind in map(_type_of, results) if str(kind) not in _callers}
    if new:
        name = f"scratchgen_callers_{next(_modules)}"
        library = results[0].target_context.codegen().create_library(name)
        module = library.create_ir_module(name)
        names = [_emit_caller(module, kind, f"{name}_{i}") for i, kind in enumerate(new.values())]
        library.add_ir_module(module)
        library.finalize()
        for key, caller in zip(new, names, strict=True):
            _callers[key] = library, library.get_pointer_to_function(caller)
    return [
        (
            _callers[str(_type_of(result))][1],
            result.library.get_pointer_to_function(result.fndesc.llvm_func_name),
        )
        for result in results
    ]


def _type_of(result: Any) -> Any:
    """LLVM's type of a compiled function."""
    convention = result.target_context.call_conv
    return convention.get_function_type(result.fndesc.restype, result.fndesc.argtypes)


def _emit_caller(module: Any, kind: Any, name: str) -> str:
    """(1) for functions of that type."""
    caller = ir.Function(module, TYPE, name)
    b = ir.IRBuilder(caller.append_basic_block())
    function, part, parts, block = caller.args
    result, error, _, _, *others = (
        kind.args
    )  # two addresses for results, part, parts, and the block's
    places = [b.alloca(pointer.pointee) for pointer in (result, error)]
    numbers = [
        b.load(b.inttoptr(b.add(block, ir.Constant(INT64, 8 * i)), number.as_pointer()))
        for i, number in enumerate(others)
    ]
    called = b.inttoptr(function, kind.as_pointer())
    b.ret(b.call(called, [*places, part, parts, *numbers]))
    return name


def _intrinsic(n: int, emit: Any) -> Any:
    """A function of n whole numbers for numba's loops, whose instructions `emit` writes."""
    names = ", ".join("abcde"[:n])
    kind = types.intp(*[types.intp] * n)

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return emit(builder, *values)

    scope: dict[str, Any] = {"kind": kind, "code": code}
    exec(f"def {emit.__name__}(typing_context, {names}): return kind, code", scope)
    return intrinsic(scope[emit.__name__])


def _call_by_address(
    b: Any, caller: Value, function: Value, part: Value, parts: Value, block: Value
) -> Value:
    """(1); 0 unless the function failed."""
    status = b.call(b.inttoptr(caller, TYPE.as_pointer()), [function, part, parts, block])
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


PATIENCE = 10_000  # spins; on x86, some tenths of a millisecond
_X86 = llvmlite.binding.get_default_triple().startswith(("x86_64", "i686"))
_YIELD = llvmlite.binding.address_of_symbol("sched_yield") is not None  # Windows has none

call_by_address, add = _intrinsic(5, _call_by_address), _intrinsic(2, _add)
read, replace_if, pause = _intrinsic(1, _read), _intrinsic(3, _replace_if), _intrinsic(1, _pause)
next_bits = _intrinsic(2, _next_bits)
