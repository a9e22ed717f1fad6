"""`scratchgen train`, ended by everything that may end it: the model so far is kept, and usable."""

import builtins
import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen import __main__
from scratchgen.command import claim, epoch_log, folders, stopping
from scratchgen.command import entry as cli
from scratchgen.command.epoch_log import Log
from scratchgen.ground import printing
from scratchgen.ground.errors import FileError
from scratchgen.train import Run
from scratchgen.train.replay import StepEngine

TINY = ["--epochs", "3", "--batch-size", "50", "--hidden", "8", "--latent", "2", "--seed", "1"]
WORDS = ["train", "gan", "--data", "points.npy", "--out", "run", *TINY]
FILES = {"model.npz", "config.json", "log.csv"}
on_posix = pytest.mark.skipif(os.name != "posix", reason="these signals are those of POSIX")


pytestmark = pytest.mark.usefixtures("ctrl_c_interrupts")


@pytest.fixture(autouse=True)
def in_a_folder_with_points(tmp_path, monkeypatch, points):
    """And with a folder of its own for temporary files, and without pictures, which cost time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", lambda name: False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    np.save("points.npy", points[:200])


def train(*words: str) -> int:
    return cli.main([*WORDS, *words])


def expect_run(folder: str | Path, epochs: int, steps: int) -> None:
    """The folder is a run of so many epochs and steps, on which the other commands work."""
    folder = Path(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    record = sg.load(folder / "model.npz").training_log[0]
    assert (record["epochs"], record["steps"], record["data"]) == (epochs, steps, "points.npy")
    rows = list(csv.reader((folder / "log.csv").read_text().splitlines()))
    assert [row[0] for row in rows] == ["epoch", *map(str, range(1, epochs + 1))]
    for words in (["info"], ["sample", "-n", "3", "-o", "some.npy"], ["explain"]):
        assert cli.main([words[0], str(folder), *words[1:]]) == 0


def in_epoch_two(monkeypatch, act) -> None:
    """Something happens in the second epoch, after the first step."""
    step = StepEngine.step

    def then(self, rows):
        parts = step(self, rows)
        if self.trainer.model_steps == 5:
            act()
        return parts

    monkeypatch.setattr(StepEngine, "step", then)


# signals


class Trained:
    """A training in a process of its own, which has ended an epoch."""

    def __init__(self, *ignored: signal.Signals) -> None:
        def as_from_a_shell() -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "scratchgen", *WORDS, "--epochs", "1000000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SCRATCHGEN_JIT": "0"},
            preexec_fn=as_from_a_shell,
        )
        assert self.process.stderr
        line = self.process.stderr.readline()
        if not line.startswith("epoch 1/1000000"):
            self.process.kill()  # it would train for ever
            pytest.fail(line)

    def end(self, *numbers: signal.Signals) -> tuple[int, str, str]:
        """Its exit code, stdout and stderr, after these signals."""
        for number in numbers:
            self.process.send_signal(number)
        try:
            out, err = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, out, err


@on_posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_training_with_a_model_and_the_exit_code_of_shells(name):
    number = getattr(signal, name)
    code, out, err = Trained().end(number, number)
    assert code == 128 + number
    assert "Traceback" not in err
    assert "interrupted after" in out
    assert "scratchgen sample run -n 64 -o samples.png" in out
    record = sg.load("run/model.npz").training_log[0]
    expect_run("run", record["epochs"], record["steps"])
    assert record["steps"] >= 4
    assert json.loads(Path("run/config.json").read_text())["epochs"] == 1_000_000


@on_posix
def test_a_signal_that_is_ignored_as_by_nohup_stays_ignored():
    code, _, _ = Trained(signal.SIGHUP).end(signal.SIGHUP, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM


@on_posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_the_first_step_is_obeyed_at_once_and_the_folder_is_free(name, monkeypatch):
    def step(*_):
        signal.raise_signal(getattr(signal, name))
        pytest.fail("the step goes on")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", step)
        assert train() == 128 + getattr(signal, name)
    assert not Path("run").exists()
    assert train() == 0


@on_posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_the_model_is_saved_prints_a_line_and_ends_the_command_afterwards(
    name, monkeypatch, capfd
):
    number, write = getattr(signal, name), folders.write_model

    def interrupted(*given):
        signal.raise_signal(number)
        write(*given)

    monkeypatch.setattr(folders, "write_model", interrupted)
    monkeypatch.setattr(
        "scratchgen.command.training_report._draw", lambda *_: pytest.fail("pictures are drawn")
    )
    before = signal.getsignal(number)
    assert train() == 128 + number
    assert "the model is being saved" in capfd.readouterr().err
    assert signal.getsignal(number) is before
    expect_run("run", 3, 12)


@on_posix
def test_a_signal_before_the_first_step_begins_no_step(monkeypatch):
    build = Log.__init__

    def interrupted(*given):
        signal.raise_signal(signal.SIGTERM)
        build(*given)

    monkeypatch.setattr(Log, "__init__", interrupted)
    monkeypatch.setattr(Run, "step", lambda *_: pytest.fail("a step is begun"))
    assert train() == 128 + signal.SIGTERM
    assert not Path("run").exists()


@on_posix
def test_an_epoch_that_ends_as_a_signal_arrives_is_in_the_log(monkeypatch):
    step = StepEngine.step

    def then(self, rows):
        parts = step(self, rows)
        if self.trainer.model_steps == 8:
            signal.raise_signal(signal.SIGTERM)
        return parts

    monkeypatch.setattr(StepEngine, "step", then)
    assert train() == 128 + signal.SIGTERM
    expect_run("run", 2, 8)


@on_posix
def test_where_stderr_is_closed_nothing_is_written_into_the_file_that_has_its_number(
    monkeypatch, capfd
):
    with stopping.Stop() as stop, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        stop.is_saving = True
        signal.raise_signal(signal.SIGTERM)
    assert stop.number == signal.SIGTERM
    assert capfd.readouterr().err == ""


def test_ctrl_c_while_the_command_is_imported_is_no_traceback(monkeypatch, capsys):
    import_ = builtins.__import__

    def interrupted(name, *rest):
        if name == "command.entry":
            raise KeyboardInterrupt
        return import_(name, *rest)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert __main__.main() == 130
    assert capsys.readouterr().err == "scratchgen: interrupted\n"


# errors


@pytest.mark.parametrize("error", [MemoryError(), OSError(5, "Input/output error")])
def test_an_error_in_training_is_reported_after_the_model_so_far_is_saved(
    error, monkeypatch, capsys
):
    def fail():
        raise error

    in_epoch_two(monkeypatch, fail)
    assert train() == 1
    captured = capsys.readouterr()
    assert "stopped after 5 of 12 steps; the model so far is saved" in captured.out
    assert ("not enough memory" in captured.err) == isinstance(error, MemoryError)
    expect_run("run", 1, 5)


def test_an_unexpected_error_keeps_its_traceback_and_the_model_so_far_is_saved(monkeypatch):
    def fail():
        raise ZeroDivisionError

    in_epoch_two(monkeypatch, fail)
    with pytest.raises(ZeroDivisionError):
        train()
    expect_run("run", 1, 5)


def test_a_run_that_fails_in_its_first_step_leaves_its_folder_to_the_next(monkeypatch, capsys):
    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", fail)
        assert train() == 1
    assert "nothing is saved" in capsys.readouterr().out
    assert not Path("run").exists()
    assert train() == 0
    expect_run("run", 3, 12)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_streams_that_cannot_be_written_do_not_end_training():
    command = shlex.join([sys.executable, "-m", "scratchgen", *WORDS])
    environment = {**os.environ, "SCRATCHGEN_JIT": "0"}
    done = subprocess.run(f"{command} >/dev/full 2>&1", shell=True, env=environment)
    assert done.returncode == 0
    assert sg.load("run/model.npz").training_log[0]["steps"] == 12
    assert len(Path("run/log.csv").read_text().splitlines()) == 4


def test_streams_that_are_not_there_do_not_end_training(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert train() == 0
    expect_run("run", 3, 12)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_an_error_of_one_line():
    sg.save(sg.models.gan((2,), rng=0), "model.npz")
    done = subprocess.run(
        f"{sys.executable} -m scratchgen info model.npz >/dev/full",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "scratchgen: writing: No space left on device\n"


# the folder


def no_room_in(monkeypatch, *full: Path) -> None:
    """Models cannot be written into these folders, and those in them."""
    write = folders.write_model

    def written(folder, *rest):
        if any(path in (folder, folder.parent) for path in full):
            raise FileError(f"{folder / folders.MODEL} cannot be written: No space left on device")
        write(folder, *rest)

    monkeypatch.setattr(folders, "write_model", written)


@pytest.mark.parametrize("is_full", [False, True])
def test_a_model_that_cannot_be_saved_in_its_folder_is_saved_elsewhere(
    is_full, monkeypatch, capsys, tmp_path
):
    here = Path.cwd()
    no_room_in(monkeypatch, Path("run"), *([here] if is_full else []))
    assert train() == 1
    (elsewhere,) = (tmp_path / "temporary" if is_full else here).glob("run-*")
    captured = capsys.readouterr()
    error = captured.err.partition("scratchgen: ")[2]  # in lines of 79 letters
    why = "because run/model.npz cannot be written: No space left on device"
    assert "".join(error.split()) == "".join(f"the run is in {elsewhere}, {why}".split())
    assert f"scratchgen info {elsewhere}" in captured.out
    expect_run(elsewhere, 3, 12)
    assert not list((here if is_full else tmp_path / "temporary").glob("run-*"))


def test_a_model_that_cannot_be_saved_anywhere_is_reported_as_lost(monkeypatch, capsys, tmp_path):
    no_room_in(monkeypatch, Path("run"), Path.cwd(), tmp_path / "temporary")
    assert train() == 1
    assert "the model is lost" in capsys.readouterr().err
    assert not list(tmp_path.rglob("run-*"))


def test_a_folder_that_is_moved_away_while_it_trains_is_made_again(monkeypatch, capsys):
    in_epoch_two(monkeypatch, lambda: Path("run").rename("moved"))
    assert train() == 0
    assert "training goes on" in capsys.readouterr().err
    expect_run("run", 3, 12)
    assert len(Path("moved/log.csv").read_text().splitlines()) == 2


def test_a_log_that_cannot_be_written_for_a_while_is_complete_in_the_end(monkeypatch, capsys):
    to_text, failed = epoch_log._csv, []

    def full_once(rows):
        if not failed:
            failed.append(rows)
            raise OSError(28, "No space left on device")
        return to_text(rows)

    monkeypatch.setattr(epoch_log, "_csv", full_once)
    assert train() == 0
    assert capsys.readouterr().err.count("No space left on device") == 1
    expect_run("run", 3, 12)


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(monkeypatch, capsys):
    def read_only(*_):
        raise PermissionError(13, "Permission denied")

    Path("run").mkdir()
    monkeypatch.setattr(claim, "_open_locked", read_only)
    monkeypatch.setattr("scratchgen.command.train.fit", lambda *_, **__: pytest.fail("it trains"))
    assert train() == 1
    assert "run cannot be written (Permission denied)" in capsys.readouterr().err
    assert Path("run").exists()


def test_a_process_that_is_killed_leaves_the_model_of_its_last_checkpoint(monkeypatch):
    def killed():
        raise SystemExit

    monkeypatch.setattr(folders, "BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(folders, "save_run", lambda *_: killed())
    in_epoch_two(monkeypatch, killed)
    with pytest.raises(SystemExit):
        train()
    expect_run("run", 1, 4)


# two runs


@pytest.mark.parametrize("folder", ["run", "runs/gan-1"])
def test_a_folder_that_is_claimed_is_refused_and_its_run_is_undisturbed(folder, capsys):
    Path(folder).mkdir(parents=True)
    with claim.claimed(Path(folder)):
        assert train("--out", folder) == 1
        assert "another training writes into" in capsys.readouterr().err
        assert [path.name for path in Path(folder).iterdir()] == [claim.NAME]
    assert list(Path(folder).iterdir()) == []
    assert train("--out", folder) == 0


@on_posix
def test_of_two_trainings_with_one_folder_the_second_is_refused(capsys):
    first = Trained()
    assert train() == 1
    assert "another training writes into run" in capsys.readouterr().err
    assert first.end(signal.SIGINT)[0] == 130
    record = sg.load("run/model.npz").training_log[0]
    expect_run("run", record["epochs"], record["steps"])


def test_a_claim_that_a_killed_process_left_is_taken_over():
    Path("run").mkdir()
    Path("run", claim.NAME).touch()
    assert train() == 0
    expect_run("run", 3, 12)


@on_posix
def test_a_claim_that_is_a_link_is_refused_and_what_it_points_to_is_not_made(capsys):
    Path("run").mkdir()
    Path("run", claim.NAME).symlink_to("elsewhere")
    assert train() == 1
    assert "the folder run cannot be written" in capsys.readouterr().err
    assert not Path("run", "elsewhere").exists()


def test_without_locks_in_the_file_system_the_file_is_the_claim(monkeypatch, capsys):
    def unknown(_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(claim, "_lock", unknown)
    Path("run").mkdir()
    with claim.claimed(Path("run")):
        assert train() == 1
        assert f"if none does, remove run/{claim.NAME}" in " ".join(capsys.readouterr().err.split())
    assert train() == 0


def test_a_claim_whose_folder_was_moved_does_not_remove_that_of_the_next():
    Path("run").mkdir()
    with claim.claimed(Path("run")):
        Path("run").rename("moved")
        Path("run").mkdir()
        with claim.claimed(Path("run")):
            Path("run").rename("next")
            Path("moved").rename("run")
    assert not Path("run", claim.NAME).exists()
    assert Path("next", claim.NAME).exists()


# names


@pytest.mark.parametrize("name", ["--x", "-", "a b", "it's", "a\x1b[2J\nb\u202ec", "\udcff"])
def test_suggested_commands_can_be_pasted_for_any_name_of_the_folder(name, capfd):
    assert train(f"--out={name}") == 0
    out = capfd.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    lines = [line for line in out.splitlines() if line.startswith("  scratchgen info")]
    word = lines[0].removeprefix("  scratchgen info ")
    bash = ["bash", "-c", f"printf %s {word}"]
    pasted = os.fsdecode(subprocess.run(bash, capture_output=True, check=True).stdout)
    assert cli.main(["info", pasted]) == 0
    out = capfd.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))


def test_data_whose_name_begins_like_an_option_are_named_as_a_path(capsys):
    Path("points.npy").rename("--p.npy")
    assert train("--data=--p.npy") == 0
    (line,) = (text for text in capsys.readouterr().out.splitlines() if "explain" in text)
    assert cli.main(shlex.split(line)[1:]) == 0


@pytest.mark.parametrize("words", ["data NAME.npy -o x.npy", "info NAME", "sample NAME -o x.npy"])
def test_no_name_reaches_the_terminal_with_control_characters(words, capsys):
    Path("points.npy").rename("a\x1b]0;b\x07.npy")
    sg.save(sg.models.gan((2,), rng=0), "a\x1b]0;b\x07")
    for name in ("a\x1b]0;b\x07", "gone\x1b]0;b\x07"):
        cli.main([word.replace("NAME", name) for word in words.split()])
        captured = capsys.readouterr()
        text = captured.out + captured.err
        assert text
        assert all(line.isprintable() for line in text.split("\n"))
        assert r"\x1b]0;b\x07" in text


def test_stderr_that_is_not_there_is_not_written_to_stdout(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    printing.to_stderr("a line")
    assert capsys.readouterr().out == ""
