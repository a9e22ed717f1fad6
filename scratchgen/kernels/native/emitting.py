"""One object file for each kernel: its loop, all that the loop calls, and three ways to call it.

    kernel(part, parts, block)                  the loop, on the numbers of a block             (1)
    objects(part, parts, addresses)             the loop, on NumPy's objects (see blocks.py)    (2)
    on_thread(&&part, _, _, &(parts, block))    (1), as a pool of threads calls it              (3)

numba translates each function into LLVM's language. By itself it would let LLVM optimise the
function at once, write its machine code and load it, with a second function by which Python calls
it. Here nothing but (1) to (3) is ever called. So LLVM does all this only once, for a whole kernel.
Only code that compiles imports this file.
"""

import functools
import gc
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.np.numpy_support import as_dtype

from . import blocks
from .calls import KERNEL_TYPE
from .linking import symbols
from .vectors import INT32, INT64, Value

# functions of the C library, which a loader finds in any process
C_LIBRARY = {"memset", "memcpy", "memmove", "sched_yield", *dir(math)} | {
    f"{x}f" for x in dir(math)
}
DESTRUCTOR = "NRT_MemInfo_call_dtor"  # of numba, for an array that a kernel allocates
_POINTER = INT64.as_pointer()
_ON_THREAD = ir.FunctionType(ir.VoidType(), [_POINTER.as_pointer(), _POINTER, _POINTER, _POINTER])


class _Text(JITCodeLibrary):
    """A compiled function in LLVM's language alone, to be linked into others."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, _name: str) -> int:
        return 0  # it has no machine code


@global_compiler_lock
def object_file(
    name: str, dispatcher: Any, kinds: tuple[Any, ...], flags: Sequence[Any]
) -> tuple[bytes, bool]:
    """The object file of a loop for those types, and whether it can be loaded without numba.

    It cannot if the loop calls functions of numba's library, to allocate an array, say. `flags` are
    those of each argument, None where an array of any layout may be passed.
    """
    codegen = cpu_target.target_context.codegen()
    with _no_machine_code(codegen):
        dispatcher.compile(kinds)
    result = dispatcher.overloads[kinds]
    library = codegen.create_library(f"scratchgen_{name}")
    module = library.create_ir_module(library.name)
    _emit_calls(module, result, flags, *symbols(name))
    library.add_ir_module(module)
    linked = library._final_module
    linked.link_in(result.library._get_module_for_linking(), preserve=True)
    library._optimize_final_module()
    needs_numba = bool(_missing_functions(linked) - C_LIBRARY - {DESTRUCTOR})
    if not needs_numba:
        linked.link_in(llvm.parse_assembly(f"define void @{DESTRUCTOR}(i8*) {{ ret void }}"))
    _rename(linked, symbols(name))
    linked.verify()
    return bytes(codegen._tm.emit_object(linked)), not needs_numba


def _rename(module: Any, entries: Sequence[str]) -> None:
    """Give all functions but the entries names that no other object file has.

    numba counts functions anew in each process, so two edits of a loop may have the same name, and
    LLVM's loader takes only the first function by a name, from whichever file.
    """
    for function in list(module.functions):
        if not function.is_declaration and function.name not in entries:
            function.name = f"{function.name}.{entries[0]}"


def _missing_functions(module: Any) -> set[str]:
    """The functions that a module calls and does not contain."""
    names = {function.name for function in module.functions if function.is_declaration}
    return {name for name in names if not name.startswith("llvm.")}


@contextmanager
def _no_machine_code(codegen: Any) -> Iterator[None]:
    """Within its `with`, numba writes functions in LLVM's language alone."""
    codegen._library_class = _Text
    codegen.set_env = lambda *_: None  # the environment, which only functions for Python have
    collects = gc.isenabled()
    gc.disable()  # compiling makes millions of objects, and little garbage
    try:
        yield
    finally:
        del codegen._library_class, codegen.set_env
        if collects:
            gc.enable()


def _emit_calls(
    module: Any, result: Any, flags: Sequence[Any], for_block: str, for_objects: str, on_thread: str
) -> None:
    """(1), (2) and (3), by the names that are given; `result` is what numba says of the loop."""
    context, description = result.target_context, result.fndesc
    kind = context.call_conv.get_function_type(description.restype, description.argtypes)
    loop = ir.Function(module, kind, description.llvm_func_name)

    kernel = ir.Function(module, KERNEL_TYPE, for_block)  # (1)
    b = ir.IRBuilder(kernel.append_basic_block())
    part, parts, block = kernel.args
    _call(b, loop, part, parts, [_load(b, block, 8 * i, x) for i, x in enumerate(_numbers(loop))])

    objects = ir.Function(module, KERNEL_TYPE, for_objects)  # (2)
    b = ir.IRBuilder(objects.append_basic_block())
    part, parts, places = objects.args
    arguments = zip(result.signature.args[2:], flags, strict=True)
    _call(b, loop, part, parts, _read_objects(b, places, arguments, _numbers(loop)))

    thread = ir.Function(module, _ON_THREAD, on_thread)  # (3)
    b = ir.IRBuilder(thread.append_basic_block())
    at_part, _, _, data = thread.args
    part = b.load(b.load(at_part))
    parts, block = (b.load(b.gep(data, [ir.Constant(INT32, i)])) for i in range(2))
    b.call(kernel, [part, parts, block])
    b.ret_void()


def _numbers(loop: Any) -> Sequence[Any]:
    """The types of the numbers by which numba passes arguments."""
    return loop.function_type.args[4:]  # behind two addresses for results, part and parts


def _call(b: Any, loop: Any, part: Value, parts: Value, numbers: list[Value]) -> None:
    """Call the loop, and return its status."""
    results = [b.alloca(pointer.pointee) for pointer in loop.function_type.args[:2]]
    b.ret(b.call(loop, [*results, part, parts, *numbers]))


def _read_objects(
    b: Any, places: Value, arguments: Iterable[tuple[Any, Any]], kinds: Sequence[Any]
) -> list[Value]:
    """The numbers of NumPy's objects, whose addresses are at `places`; OTHER for wrong arrays.

    `arguments` are the numba type and the flags of each, `kinds` the types of the numbers.
    """
    numbers: list[Value] = []
    slot = 0
    for argument, flags in arguments:
        if isinstance(argument, types.Array):
            array = _load(b, places, 8 * slot, INT64)
            if flags is not None:
                _check(b, array, argument, flags)
            numbers += _numbers_of(b, array, argument)
            slot += 1
            continue
        for _ in range(len(argument) if isinstance(argument, types.BaseTuple) else 1):
            numbers.append(_load(b, places, 8 * slot, kinds[len(numbers)]))
            slot += 1
    return [
        b.inttoptr(x, to) if isinstance(to, ir.PointerType) and x.type == INT64 else x
        for x, to in zip(numbers, kinds, strict=True)
    ]


def _load(b: Any, address: Value, offset: int, kind: Any) -> Value:
    """What is at address + offset."""
    return b.load(b.inttoptr(b.add(address, ir.Constant(INT64, offset)), kind.as_pointer()))


def _check(b: Any, array: Value, kind: Any, flags: int) -> None:
    """Return OTHER unless NumPy's array has that many axes, that dtype and those flags."""
    dtype = as_dtype(kind.dtype)
    letters = ord(dtype.kind) | ord(dtype.char) << 8 | ord(dtype.byteorder) << 16
    tests = (
        (_load(b, array, blocks.AXES, INT32), -1, kind.ndim),
        (_load(b, array, blocks.FLAGS, INT32), blocks.ALL_FLAGS, flags),
        (_load(b, _load(b, array, blocks.DTYPE, INT64), blocks.LETTERS, INT32), 0xFFFFFF, letters),
    )
    for found, mask, wanted in tests:
        differs = b.icmp_signed("!=", b.and_(found, INT32(mask)), INT32(wanted))
        with b.if_then(differs, likely=False):
            b.ret(INT32(blocks.OTHER))


def _numbers_of(b: Any, array: Value, kind: Any) -> list[Value]:
    """The numbers by which numba passes NumPy's array."""
    shape, strides = (_load(b, array, at, INT64) for at in (blocks.SHAPE, blocks.STRIDES))
    sizes, steps = ([_load(b, x, 8 * i, INT64) for i in range(kind.ndim)] for x in (shape, strides))
    size = functools.reduce(b.mul, sizes, INT64(1))
    nothing = INT64(0)  # numba's counts of references to memory that it does not own
    item = INT64(as_dtype(kind.dtype).itemsize)
    return [nothing, nothing, size, item, _load(b, array, blocks.DATA, INT64), *sizes, *steps]
