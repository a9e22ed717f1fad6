"""In a matrix product it matters which numbers stay in which registers, so vectors are spelled out.

    v = Vectors(builder, dtype)         a vocabulary: v.load, v.store, v.fma, v.loop ...
    @instructions                       marks a function that writes instructions, for numba's loops

numba compiles loops over single numbers, and leaves it to LLVM, the compiler behind it, to find
vectors in them. The innermost loops of a product are written as LLVM's instructions instead: a
method of Vectors computes nothing, it adds an instruction to the loop that `builder` builds. What
it takes and returns, a Value, is the name of a number or a vector that this loop will have.
Addresses and strides are whole numbers, in bytes. Only code that is being compiled imports this
file.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .target import BITS

BIT, INT32, INT64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
Value = Any  # a number or a vector that LLVM computes; llvmlite has no types to check


class Vectors:
    """The instructions for vectors of one dtype, "float32" or "float64"."""

    def __init__(self, builder: Any, dtype: str) -> None:
        self.builder = builder
        self.number = ir.FloatType() if dtype == "float32" else ir.DoubleType()
        self.itemsize = 4 if dtype == "float32" else 8
        self.size = BITS // 8  # bytes
        self.lanes = self.size // self.itemsize  # numbers in a vector
        self.type = ir.VectorType(self.number, self.lanes)
        self.zero = ir.Constant(self.type, None)
        self._mask_type = ir.VectorType(BIT, self.lanes)
        self._align = ir.Constant(INT32, self.itemsize)

    def whole(self, n: int) -> Value:
        """The constant n."""
        return ir.Constant(INT64, n)

    def multiples(self, stride: Value, n: int) -> list[Value]:
        """0, stride, 2 stride ... (n - 1) stride."""
        return [self.builder.mul(stride, self.whole(i)) for i in range(n)]

    def mask(self, count: Value, skip: int = 0) -> Value:
        """A mask of the lanes whose index, plus `skip`, is below `count`."""
        kind = ir.VectorType(INT64, self.lanes)
        lane = ir.Constant(kind, list(range(skip, skip + self.lanes)))
        return self.builder.icmp_signed("<", lane, self._spread(count, kind))

    def load(self, address: Value, offset: Value, mask: Value = None) -> Value:
        """The vector at address + offset; with a mask, 0 in all other lanes."""
        place = self._at(address, offset, self.type)
        if mask is None:
            vector = self.builder.load(place)
            vector.align = self.itemsize
            return vector
        name = f"llvm.masked.load.{self._name}.p0"
        load = self._function(name, self.type, [place.type, INT32, self._mask_type, self.type])
        return self.builder.call(load, [place, self._align, mask, self.zero])

    def load_everywhere(self, address: Value, offset: Value) -> Value:
        """The number at address + offset, in every lane."""
        return self._spread(self.load_number(address, offset), self.type)

    def store(self, vector: Value, address: Value, offset: Value, mask: Value = None) -> None:
        """Write a vector at address + offset; with a mask, only its lanes."""
        place = self._at(address, offset, self.type)
        if mask is None:
            self.builder.store(vector, place).align = self.itemsize
            return
        name = f"llvm.masked.store.{self._name}.p0"
        store = self._function(name, ir.VoidType(), [self.type, place.type, INT32, self._mask_type])
        self.builder.call(store, [vector, place, self._align, mask])

    def copy(self, n: int, source: Value, target: Value, offset: Value) -> None:
        """Copy n numbers from source + offset to target + offset, as one vector."""
        kind = ir.VectorType(self.number, n)
        piece = self.builder.load(self._at(source, offset, kind))
        store = self.builder.store(piece, self._at(target, offset, kind))
        piece.align = store.align = self.itemsize

    def load_number(self, address: Value, offset: Value) -> Value:
        """The number at address + offset."""
        return self.builder.load(self._at(address, offset, self.number))

    def store_number(self, number: Value, address: Value, offset: Value) -> None:
        """Write a number at address + offset."""
        self.builder.store(number, self._at(address, offset, self.number))

    def sum(self, vector: Value) -> Value:
        """The sum of the lanes: halves added to halves, always in the same order."""
        n = self.lanes
        while n > 2:
            n //= 2
            low = self.shuffle(vector, vector, range(n))
            high = self.shuffle(vector, vector, range(n, 2 * n))
            vector = self.builder.fadd(low, high)
        last = [self.builder.extract_element(vector, ir.Constant(INT32, i)) for i in (0, 1)]
        return self.builder.fadd(*last)

    def least(self, a: Value, b: Value) -> Value:
        """The smaller of two whole numbers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x y + z, rounded once."""
        fma = self._function(f"llvm.fma.{self._name}", self.type, [self.type] * 3)
        return self.builder.call(fma, [x, y, z])

    def shuffle(self, x: Value, y: Value, order: Sequence[int]) -> Value:
        """Lanes of x and y, those of y numbered after those of x, in that order."""
        lanes = ir.Constant(ir.VectorType(INT32, len(order)), list(order))
        return self.builder.shuffle_vector(x, y, lanes)

    def transpose(self, rows: list[Value]) -> list[Value]:
        """The transpose of a square matrix, whose rows are as many vectors as they have lanes.

        A perfect shuffle interleaves the two halves of a pack, card by card. Each round shuffles
        the rows, and the lanes of each pair of rows; after log2(lanes) rounds, rows and lanes have
        changed places.
        """
        n = len(rows)
        low = [i // 2 + (i % 2) * n for i in range(n)]  # 0, n, 1, n + 1 ...
        high = [i + n // 2 for i in low]
        for _ in range(n.bit_length() - 1):
            pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
            rows = [self.shuffle(a, b, half) for a, b in pairs for half in (low, high)]
        return rows

    def loop(
        self,
        count: Value,
        step: int,
        carried: list[Value],
        body: Callable[[Value, list[Value]], list[Value]],
    ) -> list[Value]:
        """for n in range(0, count, step): carried = body(n, carried). Returns the last carried."""
        b = self.builder
        before, head, inside, after = b.block, *(b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        n, *values = [b.phi(value.type) for value in (count, *carried)]
        b.cbranch(b.icmp_signed("<", n, count), inside, after)
        b.position_at_end(inside)
        new = [b.add(n, self.whole(step)), *body(n, values)]
        for value, first, next_one in zip(
            [n, *values], [self.whole(0), *carried], new, strict=True
        ):
            value.add_incoming(first, before)
            value.add_incoming(next_one, b.block)
        b.branch(head)
        b.position_at_end(after)
        return values

    def if_then(
        self, condition: Value, body: Callable[[], list[Value]], otherwise: list[Value]
    ) -> list[Value]:
        """What body() returns where the condition holds, else `otherwise`."""
        b = self.builder
        before, inside, after = b.block, *(b.append_basic_block() for _ in range(2))
        b.cbranch(condition, inside, after)
        b.position_at_end(inside)
        new = body()
        b.branch(after)
        b.position_at_end(after)
        values = [b.phi(old.type) for old in otherwise]
        for value, old, from_body in zip(values, otherwise, new, strict=True):
            value.add_incoming(old, before)
            value.add_incoming(from_body, inside)
        return values

    def switch(self, value: Value, bodies: Mapping[int, Callable[[], None]]) -> None:
        """Emit every body, and a jump to the body of `value`."""
        b = self.builder
        after = b.append_basic_block()
        jump = b.switch(value, after)
        for n, body in bodies.items():
            case = b.append_basic_block()
            jump.add_case(self.whole(n), case)
            b.position_at_end(case)
            body()
            b.branch(after)
        b.position_at_end(after)

    @property
    def _name(self) -> str:
        """LLVM's name for the type, such as v16f32."""
        return f"v{self.lanes}f{8 * self.itemsize}"

    def _spread(self, value: Value, kind: Any) -> Value:
        undefined, first = ir.Constant(kind, ir.Undefined), ir.Constant(INT32, 0)
        vector = self.builder.insert_element(undefined, value, first)
        lanes = ir.Constant(ir.VectorType(INT32, kind.count), None)
        return self.builder.shuffle_vector(vector, undefined, lanes)

    def _at(self, address: Value, offset: Value, kind: Any) -> Value:
        return self.builder.inttoptr(self.builder.add(address, offset), kind.as_pointer())

    def _function(self, name: str, result: Any, args: list[Any]) -> Any:
        known = self.builder.module.globals.get(name)
        return known or ir.Function(self.builder.module, ir.FunctionType(result, args), name)


@intrinsic
def itemsize(_typing_context: Any, like: Any) -> Any:
    """The bytes of a number of that array, as a constant: dividing by it is a shift."""
    size = like.dtype.bitwidth // 8

    def code(context: Any, _builder: Any, _signature: Any, _values: Any) -> Any:
        return context.get_constant(types.intp, size)

    return types.intp(like), code


def instructions(emit: Callable[..., None]) -> Any:
    """A function for numba's loops, whose instructions `emit` writes.

    emit(v, a, b ...) takes a Vectors and whole numbers. Loops call the function as
    f(like, a, b ...), with an array `like` of the vectors' dtype.
    """
    n = emit.__code__.co_argcount - 1

    def typed(like: Any) -> Any:
        def code(context: Any, builder: Any, _signature: Any, values: list[Any]) -> Any:
            builder.call(_emitted(builder.module, emit, like.dtype.name, n), values[1:])
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * n), code

    # numba counts the arguments of a function, and takes no *args
    names = ", ".join(["like", *emit.__code__.co_varnames[1 : n + 1]])
    scope: dict[str, Any] = {"typed": typed}
    exec(f"def {emit.__name__}(typing_context, {names}): return typed(like)", scope)
    return intrinsic(scope[emit.__name__])


def _emitted(module: Any, emit: Callable[..., None], dtype: str, n: int) -> Any:
    """The function of the module that holds these instructions, emitted once for all callers.

    Inlined, they would be translated again for every caller, which takes a second each time.
    """
    name = f"scratchgen_{emit.__name__}_{dtype}"
    if known := module.globals.get(name):
        return known
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT64] * n), name)
    function.linkage = "linkonce_odr"  # as other modules have it too
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    emit(Vectors(builder, dtype), *function.args)
    builder.ret_void()
    return function
