"""The bench of innermost loops reads assembly and llvm-mca right, and our tiles stay in registers.

Times of llvm-mca are not asserted: its models change. What is asserted of the code for AVX2 and for
ARM needs no llvm-mca, and neither CPU.
"""

import functools
import json

import pytest

from scratchgen.bench import cycles, loops
from scratchgen.bench.assembly import Loop, functions, inner_loops
from scratchgen.bench.cycles import Iteration
from scratchgen.bench.foreign_code import CPUS
from scratchgen.bench.settings import Settings
from scratchgen.command.parser import build_parser
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.formulas import compiles

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: nothing is compiled"
)

X86 = """\
	.text
	.type	scratchgen_dot_float32,@function
scratchgen_dot_float32:
	.cfi_startproc
	pushq	%rbp
	testq	%rsi, %rsi
	jle	.LBB0_4
.LBB0_1:
	xorl	%eax, %eax
	vmovups	64(%rsp), %ymm9
	.p2align	4
.LBB0_2:
	vmovups	(%r8,%rax), %ymm8
	vfmadd231ps	(%r12,%rax), %ymm8, %ymm6
	vfmadd231ps	(%r15,%rax), %ymm8, %ymm7
	vfmadd231ps	32(%r12,%rax), %ymm8, %ymm6
	vfmadd231ps	32(%r15,%rax), %ymm8, %ymm7
	vmaskmovps	(%rdx), %ymm3, %ymm2
	vmovaps	%ymm6, -32(%rsp)
	movq	8(%rbp), %rcx
	addq	$64, %rax
	addq	$-2, %r13
	jne	.LBB0_2
	incq	%rsi
	jne	.LBB0_1
.LBB0_4:
	popq	%rbp
	retq
.Lfunc_end0:
	.size	scratchgen_dot_float32, .Lfunc_end0-scratchgen_dot_float32
other:
	movq	%rsp, %rbp
	jmp	.LBB1_3
.LBB1_1:
	vaddss	8(%rbp), %xmm0, %xmm0
	decq	%rcx
.LBB1_3:
	testq	%rcx, %rcx
	jne	.LBB1_1
	retq
"""
ARM = """\
tile:
	cbz	x2, .LBB0_3
.LBB0_1:
	ldp	q28, q29, [x6], #32
	ldr	s8, [x4, x3]
	fmla	v1.4s, v28.4s, v8.s[0]
	fmla	v2.4s, v29.4s, v8.s[0]
	tbnz	w9, #0, .LBB0_3
	str	q1, [sp, #16]
	subs	x2, x2, #1
	b.ne	.LBB0_1
.LBB0_3:
	ret
"""


def test_a_loop_is_innermost_if_no_other_is_within_it():
    dot, other = inner_loops(X86)
    assert (dot.function, other.function) == ("scratchgen_dot_float32", "other")
    assert dot.lines[0] == "vmovups (%r8,%rax), %ymm8"
    assert (len(dot.lines), dot.lines[-1]) == (11, "jne .LBB0_2")


def test_a_loop_that_is_entered_in_its_middle_is_found_whole():
    _, other = inner_loops(X86)
    assert other.lines[0] == "vaddss 8(%rbp), %xmm0, %xmm0"
    assert other.lines[-1] == "jne .LBB1_1"


def test_a_loop_that_is_left_in_its_middle_is_found_whole():
    (tile,) = inner_loops(ARM)
    assert (len(tile.lines), tile.lines[-1]) == (8, "b.ne .LBB0_1")


def test_the_stack_counts_in_the_loop_alone_and_rbp_counts_where_it_points_to_the_frame():
    dot, other = inner_loops(X86)
    assert dot.stack == 1
    assert other.stack == 1
    assert inner_loops(ARM)[0].stack == 1


def test_multiply_adds_and_sums_and_numbers_of_an_iteration_are_counted():
    dot, other = inner_loops(X86)
    assert (dot.multiply_adds, dot.sums, dot.numbers(4), dot.bits) == (4, 2, 16, 256)
    assert (dot.masked, dot.gathers, dot.calls) == (1, 0, 0)
    assert (other.multiply_adds, other.bits) == (0, 0)
    (tile,) = inner_loops(ARM)
    assert (tile.multiply_adds, tile.sums, tile.numbers(8), tile.bits) == (2, 2, 4, 128)


def test_functions_have_labels_and_instructions_alone():
    names = dict(functions(X86))
    assert list(names) == ["scratchgen_dot_float32", "other"]
    assert not any(line.startswith((".cfi", ".p2align")) for line in names["other"])


def answer(busy: dict[str, float], micro_operations: int) -> dict:
    """What llvm-mca answers: a loop of 12 cycles, and, listed before it, the eleventh, of 99."""
    pressure = [
        {"InstructionIndex": at, "ResourceIndex": port, "ResourceUsage": use}
        for port, use in enumerate(busy.values())
        for at in (0, 1)  # of the one instruction, and of all together
    ]
    loop = {
        "Name": "0",
        "Instructions": ["vfmadd231ps"],
        "ResourcePressureView": {"ResourcePressureInfo": pressure},
        "SummaryView": {
            "DispatchWidth": 4,
            "Iterations": 100,
            "TotalCycles": 1200,
            "TotaluOps": 100 * micro_operations,
        },
    }
    eleventh = {**loop, "Name": "10", "SummaryView": {**loop["SummaryView"], "TotalCycles": 9900}}
    return {"TargetInfo": {"Resources": list(busy)}, "CodeRegions": [eleventh, loop]}


def test_the_limit_is_the_busiest_port_or_what_the_cpu_can_start_or_a_wait():
    busy = {"Zn3ALU0": 1.0, "Zn3FP0": 11.9, "Zn3FP1": 11.8, "Zn3Load.\x01": 3.0}
    assert cycles.parsed(answer(busy, 24))[0] == Iteration(12.0, "FP0-1")
    assert cycles.parsed(answer({**busy, "Zn3FP0": 3.0}, 24))[0] == Iteration(12.0, "FP1")
    idle = dict.fromkeys(busy, 3.0)
    assert cycles.parsed(answer(idle, 48))[0] == Iteration(12.0, "starts")
    assert cycles.parsed(answer(idle, 24))[0] == Iteration(12.0, "waits")


def test_iterations_are_in_the_order_of_the_loops_and_not_of_the_answer():
    first, eleventh = cycles.parsed(answer({"Zn3FP0": 1.0}, 1))
    assert (first.cycles, eleventh.cycles) == (12.0, 99.0)


def test_an_instruction_that_is_not_known_spoils_no_other_loop(monkeypatch):
    def analysed(_tool, _triple, _cpu, given):
        if ["unknown"] in given:
            return None
        text = answer({"Zn3FP0": 1.0}, 1)
        regions = [{**text["CodeRegions"][1], "Name": str(n)} for n in range(len(given))]
        return {**text, "CodeRegions": regions}

    monkeypatch.setattr(cycles, "_analysed", analysed)
    known = Iteration(12.0, "waits")
    given = [["nop"], ["nop"], ["unknown"], ["nop"], ["nop"]]
    assert cycles.iterations("tool", "x86_64", "cpu", given) == [known, known, None, known, known]


def measured(kernel: str, lines: list[str], iteration: Iteration | None) -> loops.Measured:
    return loops.Measured(kernel, Loop("f", lines), iteration)


def tile(sums: int, cycles_: float, *more: str) -> loops.Measured:
    lines = [f"vfmadd231ps (%rdi), %ymm15, %ymm{n}" for n in range(sums)]
    iteration = Iteration(cycles_, "FP0-1")
    return measured("multiply_tile float32", [*lines, *more, "decq %rsi"], iteration)


def test_the_table_has_the_largest_tile_and_its_share_of_peak_and_names_what_is_missing():
    peak = [f"vfmadd231ps %ymm15, %ymm14, %ymm{n}" for n in range(12)]
    entries = [
        measured("multiply_add float32", peak, Iteration(6.0, "FP0-1")),
        tile(6, 4.0),
        tile(12, 12.0, "vmovaps 32(%rsp), %ymm13"),
        tile(2, 4.0, "vmovaps 32(%rsp), %ymm13"),
        measured("log_prob_bernoulli", ["vmaskmovps (%rdx), %ymm3, %ymm2"], None),
    ]
    result = loops.report({"znver3": entries}, ["znver9: not known to llvm-mca-19"], "llvm-mca-19")
    text = result.text()
    assert max(map(len, text.splitlines())) <= 79
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "tile, 12 sums, float32 256 12.0 1.00 50 % FP0-1 1" in lines
    assert "tile, 6 sums, float32 256 4.0 0.667 75 % FP0-1" in lines
    assert "log_prob_bernoulli 256 ? ? not known 1" in lines
    assert "znver9: not known to llvm-mca-19" in lines
    assert not any(line.startswith("tile, 2 sums") for line in lines)
    assert result.data["cpus"]["znver3"]["peak"] == {"float32": 2.0}
    assert json.loads(json.dumps(result.data)) == result.data
    assert [entry["stack"] for entry in result.data["cpus"]["znver3"]["loops"]] == [0, 0, 1, 1, 0]


def test_of_a_kernel_the_loop_that_does_most_is_shown():
    """Not the one that copies, nor that of the numbers left over, though it has more lines."""
    main = ["vmulps (%rdi), %ymm0, %ymm1", "vaddps %ymm1, %ymm2, %ymm1", "addq $32, %rdi"]
    rest = [*(2 * ["vmulss (%rdi), %xmm0, %xmm1"]), "nop", "nop", "addq $4, %rdi"]
    copies = ["vmovups (%rdi), %ymm0", "vmovups %ymm0, (%rsi)", *(9 * ["nop"]), "addq $32, %rdi"]
    entries = [measured("k", lines, Iteration(1.0, "waits")) for lines in (rest, main, copies)]
    ((name, chosen),) = loops.chosen(entries)
    assert (name, chosen.loop.lines) == ("k", main)


def test_without_llvm_mca_the_bench_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = loops.measure(Settings(quick=True))
    if compiles():
        assert "apt-get install llvm" in " ".join(result.text().split())
    else:
        assert "no numba here" in result.text()
    assert result.rows == []


def test_the_newest_llvm_mca_is_taken(tmp_path, monkeypatch):
    for name in ("llvm-mca", "llvm-mca-9", "llvm-mca-19", "llvm-mca-2000.txt"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cycles.llvm_mca() == str(tmp_path / "llvm-mca-19")


def test_the_command_takes_every_cpu_of_the_bench_and_no_other():
    for cpu in CPUS:
        assert build_parser().parse_args(["bench", "loops", "--cpu", cpu]).cpu == [cpu]
    with pytest.raises(SystemExit):
        build_parser().parse_args(["bench", "loops", "--cpu", "z80"])


@functools.cache
def products_for(cpu: str) -> dict[str, list[Loop]]:
    """The loops of our products for a CPU: the same code as numba compiles there."""
    return loops.loops_for(cpu, Settings(), "products")


@needs_numba
@pytest.mark.parametrize(("cpu", "sums"), [("znver3", 12), ("neoverse-v1", 24)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sums_of_the_largest_tile_stay_in_registers(cpu, sums, dtype):
    """A mask that did not fit was read from the stack at each k, and halved the speed."""
    largest = max(products_for(cpu)[f"multiply_tile {dtype}"], key=lambda loop: loop.sums)
    assert largest.sums == sums
    assert largest.stack == largest.masked == largest.gathers == largest.calls == 0
    assert largest.bits == {"znver3": 256, "neoverse-v1": 128}[cpu]


@needs_numba
def test_llvm_mca_knows_every_instruction_of_our_products():
    tool = cycles.llvm_mca()
    if tool is None:
        pytest.skip("llvm-mca is not installed")
    kernels = products_for("znver3")
    largest = max(kernels["multiply_tile float32"], key=lambda loop: loop.sums)
    lines = [loop.lines for entries in kernels.values() for loop in entries]
    each = cycles.iterations(tool, CPUS["znver3"][0], "znver3", [*lines, largest.lines])
    assert None not in each
    assert each[-1].cycles >= largest.multiply_adds / 2  # Zen 3 starts two a cycle
