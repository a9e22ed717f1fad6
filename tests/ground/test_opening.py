"""What a user names is read once, or refused; nobody waits for what does not come."""

import io
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
from hostile import npy

import scratchgen as sg
from scratchgen.command import entry as cli
from scratchgen.ground import errors, opening

needs_pipes = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="this system has no pipes with names"
)
POINTS = np.arange(12.0, dtype=np.float32).reshape(6, 2)
PATIENCE = 60  # seconds after which a test that hangs is given up


def unless_it_hangs(call: Callable[[], Any]) -> Any:
    """What the call returns or raises; a test that would hang fails instead."""
    result: list[Any] = []

    def work() -> None:
        try:
            result.append(call())
        except BaseException as problem:
            result.append(problem)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert result, "it hangs"
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@contextmanager
def filled(path, data: bytes, close: bool = True):
    """A pipe with data in it; the program that wrote them has ended, or still holds it open."""
    kept = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, data)
    if close:
        os.close(writer)
    try:
        yield path
    finally:
        os.close(kept)
        if not close:
            os.close(writer)


@pytest.fixture
def standard_input(monkeypatch):
    """A function that puts bytes into standard input, as a pipe or as a file."""
    with ExitStack() as ends:

        def put(data: bytes, path=None) -> None:
            if path is None:
                reader, writer = os.pipe()
                os.write(writer, data)
                os.close(writer)
            else:
                path.write_bytes(data)
                reader = os.open(path, os.O_RDONLY)
            monkeypatch.setattr(sys, "stdin", ends.enter_context(os.fdopen(reader)))

        yield put


def model_bytes() -> bytes:
    file = io.BytesIO()
    sg.save(sg.models.vae((2,), latent=1, hidden=(4,), rng=0), file)
    return file.getvalue()


@needs_pipes
@pytest.mark.parametrize("read", [sg.load, sg.data.load])
def test_a_pipe_that_nobody_writes_into_is_refused_at_once(fifo, read):
    with pytest.raises(errors.FileError, match="no program writes into it: wants"):
        unless_it_hangs(lambda: read(fifo))


@needs_pipes
@pytest.mark.parametrize(
    "words",
    [["info"], ["data"], ["explain"], ["sample"], ["train", "vae", "--out", "run", "--data"]],
    ids=lambda words: words[0],
)
def test_no_command_waits_for_a_pipe_that_nobody_writes_into(
    fifo, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert unless_it_hangs(lambda: cli.main([*words, str(fifo)])) == 1
    assert "no program writes into it" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


@needs_pipes
def test_data_and_a_model_are_read_from_a_pipe(fifo):
    with filled(fifo, npy(POINTS)):
        assert np.array_equal(sg.data.load(fifo), POINTS)
    with filled(fifo, model_bytes()):
        assert isinstance(sg.load(str(fifo)), sg.models.VAE)
    with filled(fifo, model_bytes()):
        assert cli.main(["info", str(fifo)]) == 0
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@needs_pipes
def test_a_pipe_is_read_to_its_end_also_where_that_comes_later(fifo):
    x = np.arange(200_000.0).reshape(-1, 2)
    kept = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(npy(x))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert np.array_equal(unless_it_hangs(lambda: sg.data.load(fifo)), x)
    finally:
        os.close(kept)
        thread.join()


@needs_pipes
def test_a_program_that_says_nothing_is_waited_for_only_so_long(fifo, monkeypatch):
    monkeypatch.setattr(opening, "LONGEST_SILENCE", 0.01)
    for data, word in ((b"", "nothing has"), (npy(POINTS), "no more has")):
        with filled(fifo, data, close=False), pytest.raises(errors.FileError, match=word):
            unless_it_hangs(lambda: sg.data.load(fifo))


@needs_pipes
@pytest.mark.parametrize(
    ("read", "words"), [(sg.load, "is no model file"), (sg.data.load, "is no .npy, .npz or IDX")]
)
def test_of_a_pipe_that_begins_like_nothing_of_ours_no_more_is_read(fifo, read, words):
    with filled(fifo, bytes(1_000), close=False), pytest.raises(errors.FileError, match=words):
        unless_it_hangs(lambda: read(fifo))


@needs_pipes
def test_what_comes_through_a_pipe_has_a_bound(fifo, monkeypatch):
    monkeypatch.setattr(opening, "MOST_PIPED", 100)
    with (
        filled(fifo, npy(POINTS), close=False),
        pytest.raises(errors.FileError, match="more than 100 bytes came through"),
    ):
        unless_it_hangs(lambda: sg.data.load(fifo))


def test_a_dash_is_standard_input(standard_input, tmp_path):
    for path in (None, tmp_path / "file"):
        standard_input(npy(POINTS), path)
        assert np.array_equal(sg.data.load("-"), POINTS)
        standard_input(model_bytes(), path)
        assert isinstance(sg.load("-"), sg.models.VAE)


def test_commands_read_standard_input_and_advise_no_second_reading(
    standard_input, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scratchgen.command.training_report.is_installed", lambda name: False)
    standard_input(npy(POINTS))
    words = "train vae --data - --epochs 1 --hidden 4 --latent 1 --out run --seed 0"
    assert cli.main(words.split()) == 0
    out = capsys.readouterr().out
    assert "training on standard input: 6 examples" in out
    assert "--data FILE" in out
    assert "--data -" not in out
    standard_input(model_bytes())
    assert cli.main(["info", "-"]) == 0
    standard_input(npy(POINTS))
    assert cli.main(["data", "-", "-o", "some.npy"]) == 0
    assert sorted(np.load("some.npy").tolist()) == POINTS.tolist()


def test_standard_input_that_is_closed_or_replaced_is_refused(monkeypatch):
    for nothing in (None, io.StringIO()):
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(errors.FileError, match="standard input is closed"):
            sg.data.load("-")


@needs_pipes
@pytest.mark.parametrize("read", [sg.load, sg.data.load])
def test_devices_sockets_and_folders_are_refused_and_not_read(read, tmp_path):
    with pytest.raises(errors.FileError, match="/dev/zero is a device: wants"):
        unless_it_hangs(lambda: read("/dev/zero"))
    listening = socket.socket(socket.AF_UNIX)
    path = tmp_path / "socket"
    with listening:
        try:
            listening.bind(str(path))
        except OSError:
            pytest.skip("the path of the temporary folder is too long for a socket")
        with pytest.raises(errors.FileError, match="is a socket: wants"):
            read(path)
    with pytest.raises(errors.FileError, match=f"{tmp_path} (is a folder|holds no)"):
        read(tmp_path)


def test_a_file_that_must_not_be_read_says_so(tmp_path, monkeypatch):
    path = tmp_path / "closed.npy"
    path.write_bytes(npy(POINTS))

    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening.os, "open", refuse)
    with pytest.raises(errors.FileError, match=r"cannot be read \(Permission denied\)"):
        sg.data.load(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="this system has no such file")
@pytest.mark.parametrize("read", [sg.load, sg.data.load])
def test_a_file_that_fails_while_it_is_read_says_so(read):
    with pytest.raises(
        errors.FileError, match=r"/proc/self/mem cannot be read \(Input/output error\)"
    ):
        read("/proc/self/mem")
