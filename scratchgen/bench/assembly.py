"""The innermost loops in the assembly that LLVM writes, for x86 and for ARM.

    .LBB6_5:                                     a block begins at a label, or behind a jump
            vmovups      (%r8,%rax), %ymm8
            vfmadd231ps  (%r12,%rax), %ymm8, %ymm6
            addq         $32, %rax
            jne          .LBB6_5                 and goes on at each label that it jumps to

Blocks that lead to each other are a loop. Its head is the block where it is entered. A loop is
innermost if, without the jumps back to its head, no two of its blocks lead to each other.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

LABEL = re.compile(r"([\w.$]+):")
JUMP = re.compile(r"(?:j\w+|b|b\.\w+|cbn?z|tbn?z)\s(?:.*[\s,])?([\w.$]*LBB\w+)$")
GOES_ELSEWHERE = re.compile(r"(jmpq?|b|br|retq?|ret|ud2|brk)\b(?!\.)")
FRAME = re.compile(r"movq\s+%rsp, %rbp|(?:mov|add)\s+x29, sp")
MULTIPLY_ADD = re.compile(r"vfn?m(?:add|sub)\d+p[sd]\s.*(%\w+)$|fml[as]\s+([vz]\d+)\.")
SCALAR = re.compile(r"v\w+s[sd]\s|f\w+\s+[sd]\d")
ARITHMETIC = re.compile(
    r"v(?:fn?m|add|sub|mul|div|min|max|sqrt|cvt)\w*[ps][sd2]|f(?!mov|cm|csel)\w+\s+[vzsd]\d"
)
OPERAND = re.compile(r"(-?\w*)\((%\w+)?(?:,(%\w+)(?:,(\d))?)?\)")  # of x86, in memory
PLACE = re.compile(r"\[(\w+)(?:, (\w+)(?:, lsl #(\d))?)?\]")  # of ARM
SVE = r"\bz\d+\b"  # a register
LENGTHS = {  # in bits, of registers; those of SVE are as long as on Neoverse V1
    r"%zmm": 512, rf"%ymm|{SVE}": 256, r"%xmm|\bv\d+\.[248]|\bq\d+": 128,
}  # fmt: skip
STEP = re.compile(r"(add|sub)q?\s+\$(-?\d+), (%\w+)$|(inc|dec)q?\s+(%\w+)$")
STEP_ARM = re.compile(r"(add|sub)s?\s+(\w+), \2, #(\d+)$|\[(\w+)\], #(-?\d+)$|\[(\w+), #(-?\d+)\]!")


@dataclass
class Loop:
    """An innermost loop: the name of its function, and its instructions in their order."""

    function: str
    lines: list[str] = field(repr=False)
    has_frame: bool = False  # whether the function keeps the address of its frame in a register

    @property
    def stack(self) -> int:
        """How many instructions read or write the stack."""
        places = r"\(%r[sb]p|\[(sp|x29)" if self.has_frame else r"\(%rsp|\[sp"
        return self._count(places)

    @property
    def masked(self) -> int:
        """Loads and stores through a mask."""
        return self._count(r"vp?maskmov|\(.*\{%k[1-7]\}|^\w+ .*\{%k[1-7]\}$")

    @property
    def gathers(self) -> int:
        """Loads, or stores, of numbers that are scattered in memory."""
        return self._count(r"^v?p?(gather|scatter)")

    @property
    def calls(self) -> int:
        """Calls of functions."""
        return self._count(r"^(callq?|blr?)\s")

    @property
    def multiply_adds(self) -> int:
        """Fused multiply-adds of vectors in an iteration."""
        return sum(1 for line in self.lines if MULTIPLY_ADD.match(line))

    @property
    def sums(self) -> int:
        """The vectors that multiply-adds are summed in.

        If a register takes several of them, LLVM has unrolled the loop: one iteration does several
        of the written loop, as many as the counter, a register that no address contains, moves on.
        """
        matches = filter(None, map(MULTIPLY_ADD.match, self.lines))
        if len({match[1] or match[2] for match in matches}) == self.multiply_adds:
            return self.multiply_adds
        used = {name for line in self.lines for base, index, _ in addresses(line)
                for name in (base, index)}  # fmt: skip
        counts = [abs(by) for register, by in self._steps() if register not in used]
        unrolled = counts[0] if len(counts) == 1 else 1
        return self.multiply_adds // unrolled

    @property
    def arithmetic(self) -> int:
        """Instructions that compute with floats."""
        return sum(1 for line in self.lines if ARITHMETIC.match(line))

    @property
    def bits(self) -> int:
        """The length of the vectors that it computes with; 0 if most of it takes single numbers."""
        computing = [line for line in self.lines if ARITHMETIC.match(line)] or self.lines
        vectors = [line for line in computing if not SCALAR.match(line)]
        if 2 * len(vectors) < len(computing):
            return 0
        for pattern, bits in LENGTHS.items():
            if any(re.search(pattern, line) for line in vectors):
                return bits
        return 0

    def numbers(self, itemsize: int) -> int:
        """The numbers in an iteration, of `itemsize` bytes; 0 if no address moves on by a constant.

        They fill the bytes by which most addresses move on or, where nothing is computed, by which
        the fastest does. Vectors of SVE have no constant length: there, they are the numbers that
        are written from one address on.
        """
        lanes = self.bits // (8 * itemsize)
        if any(re.search(SVE, line) for line in self.lines):
            stores = (line for line in self.lines if re.match(r"(st1[wd] .*|str )\bz\d", line))
            written = Counter(base for line in stores for base, _, _ in addresses(line))
            return lanes * max(written.values(), default=1)
        steps = dict(self._steps())
        moves = Counter[int]()
        for line in self.lines:
            for base, index, scale in addresses(line):
                by = abs(steps.get(base, 0) + scale * steps.get(index, 0))
                moves[by] += by > 0
        if not self.arithmetic:  # a transpose reads along columns, and writes rows of them
            return max(moves, default=0) // itemsize
        (move, count), *_ = *moves.most_common(1), (0, 0)
        return move // itemsize if count else 0

    def work(self, itemsize: int) -> float:
        """Operations for each number, by which the main loop of a kernel is recognised."""
        lanes = max(1, self.bits // (8 * itemsize))
        return self.arithmetic * lanes / (self.numbers(itemsize) or lanes)

    def _steps(self) -> Iterator[tuple[str, int]]:
        """Each register that a constant is added to in an iteration, and the constant."""
        for line in self.lines:
            if match := STEP.match(line):
                by = int(match[2]) if match[2] else 1
                yield match[3] or match[5], by if (match[1] or match[4]) in ("add", "inc") else -by
            elif match := STEP_ARM.search(line):
                if match[2]:
                    yield match[2], int(match[3]) if match[1] == "add" else -int(match[3])
                else:
                    yield match[4] or match[6], int(match[5] or match[7])

    def _count(self, pattern: str) -> int:
        return sum(1 for line in self.lines if re.search(pattern, line))


def addresses(line: str) -> Iterator[tuple[str, str, int]]:
    """The addresses in an instruction, base + scale index; a missing register is ""."""
    for match in OPERAND.finditer(line):
        yield match[2] or "", match[3] or "", int(match[4] or 1)
    for match in PLACE.finditer(line):
        yield match[1], match[2] or "", 1 << int(match[3] or 0)


@dataclass
class _Block:
    labels: list[str]
    lines: list[str] = field(default_factory=list)
    next: set[int] = field(default_factory=set)


def inner_loops(text: str) -> list[Loop]:
    """The innermost loops of all functions, in the order of the text."""
    loops = []
    for function, lines in functions(text):
        blocks = _blocks(lines)
        has_frame = any(FRAME.match(line) for line in lines)
        loops += [
            Loop(function, [line for i in body for line in blocks[i].lines], has_frame)
            for body in _innermost({i: block.next for i, block in enumerate(blocks)})
        ]
    return loops


def functions(text: str) -> Iterator[tuple[str, list[str]]]:
    """The name of each function, and its labels and instructions."""
    name, lines = "", list[str]()
    for raw in text.splitlines():
        line = raw.strip()
        label = LABEL.match(line)
        if label and not label[1].startswith((".L", "L", "$")):
            if name:
                yield name, lines
            name, lines = label[1], []
        elif line and (label or not line.startswith((".", "#", "//", ";"))):
            lines.append(re.sub(r"\s*(//|##).*", "", line).replace("\t", " "))
    if name:
        yield name, lines


def _blocks(lines: list[str]) -> list[_Block]:
    """The blocks of a function, and the blocks that each leads to."""
    blocks = [_Block([])]
    targets: list[list[str]] = [[]]
    for line in lines:
        label, jump = LABEL.match(line), JUMP.match(line)
        if (label and blocks[-1].lines) or targets[-1] or _ends(blocks[-1]):
            blocks.append(_Block([]))
            targets.append([])
        if label:
            blocks[-1].labels.append(label[1])
        else:
            blocks[-1].lines.append(line)
            targets[-1] += [jump[1]] if jump else []
    at = {label: i for i, block in enumerate(blocks) for label in block.labels}
    for i, block in enumerate(blocks):
        block.next = {at[target] for target in targets[i] if target in at}
        if not _ends(block) and i + 1 < len(blocks):
            block.next.add(i + 1)
    return blocks


def _ends(block: _Block) -> bool:
    """Whether nothing goes on to the block below."""
    return bool(block.lines and GOES_ELSEWHERE.match(block.lines[-1]))


def _innermost(edges: dict[int, set[int]]) -> list[list[int]]:
    """The blocks of each innermost loop, in the order of the text."""
    reached = {block: _reached(edges, block) for block in edges}
    found, seen = list[list[int]](), set[int]()
    for block in sorted(edges):
        if block not in reached[block] or block in seen:
            continue
        loop = {other for other in reached[block] if block in reached[other]}
        seen |= loop
        entries = {to for at in edges.keys() - loop for to in edges[at]} & loop
        head = min(entries or loop)
        found += _innermost({at: edges[at] & loop - {head} for at in loop}) or [sorted(loop)]
    return found


def _reached(edges: dict[int, set[int]], start: int) -> set[int]:
    """The blocks to which one edge or more lead from `start`."""
    seen, waiting = set[int](), [start]
    while waiting:
        new = edges[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen
