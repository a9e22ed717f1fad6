"""With --vectors avx2 no tool uses AVX-512, as each tool says that can say what it uses."""

import subprocess
import sys

import pytest

from scratchgen.bench import decoding, instruction_sets
from scratchgen.bench.settings import Settings
from scratchgen.command import entry as cli
from scratchgen.ground.errors import OptionError
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.formulas import compiles

needs_avx2 = pytest.mark.skipif(
    instruction_sets.longest() not in ("AVX-512", "AVX2"), reason="this CPU has no AVX2"
)


def printed(code: str) -> str:
    """The output of a process that has the variables."""
    environment = {**Settings().environment(), **instruction_sets.variables()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@needs_avx2
def test_numpy_finds_no_vectors_beyond_avx2():
    code = "from scratchgen.bench import instruction_sets as s; print(s.longest(), s.in_force())"
    assert printed(code) == "AVX2 True"


@needs_avx2
@pytest.mark.skipif(not is_installed("numba"), reason="numba is not installed")
def test_our_own_vectors_are_those_of_avx2():
    code = "from scratchgen.kernels.native import target; print(target.BITS, target.name())"
    assert printed(code) == "256 znver3"


@needs_avx2
@pytest.mark.skipif(not is_installed("torch"), reason="torch is not installed")
def test_torch_says_that_it_uses_avx2():
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    assert printed(code) == "AVX2"


@needs_avx2
@pytest.mark.skipif(not is_installed("jax"), reason="jax is not installed")
def test_jax_knows_the_flags():
    assert printed("import jax; print(jax.jit(lambda x: x + 1)(1))") == "2"


def test_flags_for_xla_that_are_already_set_stay_and_none_is_repeated():
    flags = instruction_sets.variables({"XLA_FLAGS": "--xla_dump_to=here"})["XLA_FLAGS"]
    assert flags.split() == ["--xla_dump_to=here", *instruction_sets.XLA]
    assert instruction_sets.variables({"XLA_FLAGS": flags})["XLA_FLAGS"] == flags


def test_a_variable_that_restricts_a_few_tools_only_is_named():
    assert instruction_sets.remarks({}) == []
    assert instruction_sets.remarks(instruction_sets.variables({})) == []
    (line,) = instruction_sets.remarks(
        {"OPENBLAS_CORETYPE": "Haswell", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
    )
    assert line.startswith("OPENBLAS_CORETYPE, --xla_cpu_max_isa=AVX2 set: not every tool")


def test_the_longest_vectors_are_named_as_each_version_of_numpy_names_them(monkeypatch):
    for names, longest in (
        ({"X86_V2", "X86_V3", "X86_V4"}, "AVX-512"),
        ({"SSE2", "AVX2", "AVX512F"}, "AVX-512"),
        ({"SSE2", "FMA3", "AVX2"}, "AVX2"),
        ({"NEON", "ASIMD"}, "NEON"),
        ({"SSE2"}, "other vectors"),
    ):
        monkeypatch.setattr(instruction_sets, "available", lambda names=names: names)
        assert instruction_sets.longest() == longest


def test_a_cpu_without_avx2_is_refused(monkeypatch):
    monkeypatch.setattr(instruction_sets, "available", lambda: {"NEON", "ASIMD"})
    with pytest.raises(OptionError, match="has NEON; leave out --vectors"):
        instruction_sets.expect_avx2()


def test_onnxruntime_which_has_no_setting_is_left_out(monkeypatch):
    for name, value in instruction_sets.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(decoding, "CALLS", {})
    monkeypatch.setattr(decoding, "take_turns", lambda workers, rounds: ({}, {}))
    assert "onnxruntime: not compared" in decoding.measure(Settings(rounds=1, quick=True)).text()


@needs_avx2
def test_the_command_starts_again_with_the_variables_and_says_whose_figures_it_prints(capfd):
    assert cli.main(["bench", "machine", "--quick", "--threads", "1", "--vectors", "avx2"]) == 0
    text = capfd.readouterr().out
    assert text.startswith("Machine (AVX2)\n")
    if compiles():
        assert "znver3" in text


def test_an_unknown_cpu_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "machine", "--vectors", "avx9"])
    assert "avx2" in capsys.readouterr().err
