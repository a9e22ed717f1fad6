"""Files are written whole, where a link points, with the mode they had; devices stay devices."""

import contextlib
import os
import resource
import socket
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.command import folders, look
from scratchgen.gradcheck.reports.markup import written
from scratchgen.ground import errors
from scratchgen.ground.writing import expect_writable, whole_file, write_atomically

MODEL = sg.models.gan((2,), latent=2, hidden=(40,), rng=0)


@contextlib.contextmanager
def full_disk(most: int = 50):
    """No file can grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def unprivileged():
    """Root may write anywhere: nobody takes its place."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def umask(value: int):
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def draw(name):
    def write(folder):
        missing = "matplotlib is not installed: no pictures are made"
        pytest.importorskip("matplotlib", reason=missing)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("scratchgen.plots.figures.DPI", 40)
            sg.plots.losses({"loss": [1.0, 2.0]}, folder / name)

    return write


def write_config(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "save", lambda model, path: None)
        folders.write_model(folder, MODEL, {"seed": "7" * 100})


WRITERS = {
    "model.npz": lambda folder: sg.save(MODEL, folder / "model.npz"),
    "config.json": write_config,
    "x.npy": lambda folder: look.write_array(folder / "x.npy", np.arange(100.0)),
    "report.html": lambda folder: written("a page" * 100, folder / "report.html"),
    "x.png": draw("x.png"),
    "x.pdf": draw("x.pdf"),
    "x.svg": draw("x.svg"),
}


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_whatever_is_written_on_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    name, tmp_path
):
    path = tmp_path / name
    path.write_bytes(b"old")
    with full_disk(), pytest.raises(errors.FileError, match=r"cannot be written \(File too large"):
        WRITERS[name](tmp_path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_whatever_is_written_goes_where_a_link_points_and_keeps_the_mode(name, tmp_path):
    real = tmp_path / "elsewhere"
    real.write_bytes(b"old")
    real.chmod(0o640)
    (tmp_path / name).symlink_to(real)
    WRITERS[name](tmp_path)
    assert (tmp_path / name).is_symlink()
    assert real.stat().st_size > 100
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_until_all_is_written_a_reader_finds_the_old_file(tmp_path):
    path = tmp_path / "config.json"
    write_atomically(path, b"old")
    with whole_file(path) as stream:
        stream.write(b"half of the ")
        stream.flush()
        assert path.read_bytes() == b"old"
        stream.write(b"new one")
    assert path.read_bytes() == b"half of the new one"
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_block_that_raises_writes_nothing_and_its_error_goes_on(problem, tmp_path):
    def write():
        with whole_file(tmp_path / "x") as stream:
            stream.write(b"half")
            raise problem

    with pytest.raises(problem):
        write()
    assert os.listdir(tmp_path) == []


def test_ctrl_c_as_late_as_can_be_leaves_nothing_beside_the_file(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x", b"new")
    assert os.listdir(tmp_path) == []


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        with umask(mask):
            write_atomically(tmp_path / f"{mask}", b"new")
        assert stat.S_IMODE((tmp_path / f"{mask}").stat().st_mode) == mode


def test_a_file_that_is_written_again_keeps_mode_and_owner(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o4751)
    if not os.geteuid():
        os.chown(path, 12, 34)
        path.chmod(0o4751)
    before = path.stat()
    write_atomically(path, b"new")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_links_are_followed_one_after_the_other_and_to_files_that_are_not_there_yet(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store/second").symlink_to("real")  # each as seen from where the link is
    (tmp_path / "first").symlink_to("store/second")
    for content in (b"one", b"two"):
        write_atomically(tmp_path / "first", content)
        assert (tmp_path / "store/real").read_bytes() == content
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "store/second").is_symlink()
    assert not (tmp_path / "store/real").is_symlink()
    assert sorted(os.listdir(tmp_path / "store")) == ["real", "second"]


def test_a_second_name_of_the_old_file_keeps_the_old_content(tmp_path):
    write_atomically(tmp_path / "x", b"old")
    (tmp_path / "same").hardlink_to(tmp_path / "x")
    write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert (tmp_path / "same").read_bytes() == b"old"


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path):
    name = "x" * os.pathconf(tmp_path, "PC_NAME_MAX")
    write_atomically(tmp_path / name, b"new")
    assert os.listdir(tmp_path) == [name]


def test_a_device_stays_one(tmp_path):
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:  # nobody but root makes devices, or could harm this one
        path = Path("/dev/null")
    sg.save(MODEL, path)
    assert stat.S_ISCHR(path.stat().st_mode)


def test_a_pipe_gets_the_bytes_that_a_file_would_have(tmp_path):
    sg.save(MODEL, tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with open(reader, "rb") as reading:
        sg.save(MODEL, tmp_path / "pipe")
        assert reading.read() == (tmp_path / "file").read_bytes()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.FileError, match="nobody reads"):
        write_atomically(tmp_path / "pipe", b"new")


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        with pytest.raises(errors.FileError, match="a disk or a socket"):
            write_atomically("s", b"new")
    assert stat.S_ISSOCK(os.stat("s").st_mode)


def test_a_folder_that_may_not_be_written_is_named_with_the_reason():
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    (folder / "x").write_bytes(b"old")
    (folder / "x").chmod(0o666)
    try:
        folder.chmod(0o555)
        with unprivileged():
            for name in ("x", "y"):
                with pytest.raises(errors.FileError, match=r"written \(Permission denied\)"):
                    write_atomically(folder / name, b"new")
        assert (folder / "x").read_bytes() == b"old"
        assert os.listdir(folder) == ["x"]
    finally:
        folder.chmod(0o755)
        (folder / "x").unlink()
        folder.rmdir()


def test_a_read_only_file_is_not_written():
    folder = Path(tempfile.mkdtemp())
    path = folder / "x"
    path.write_bytes(b"old")
    try:
        folder.chmod(0o777)
        path.chmod(0o444)
        with unprivileged():
            with pytest.raises(errors.FileError, match="it is read-only"):
                write_atomically(path, b"new")
            with pytest.raises(errors.FileError, match=r"it is read-only.*: name another"):
                expect_writable(path, "name another")
        assert path.read_bytes() == b"old"
    finally:
        path.unlink()
        folder.rmdir()


def test_paths_that_no_file_can_have_are_named_with_the_reason(tmp_path):
    (tmp_path / "text").write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("nowhere/x")
    for name, words in {
        ".": "it is a folder",
        "no/x": f"there is no folder {tmp_path}/no: create it first",
        "lost": f"there is no folder {tmp_path}/nowhere: create it first",
        "text/x": r"\(Not a directory\)",
        "loop": r"\(Too many levels of symbolic links\)",
        "x" * 300: r"\(File name too long\)",
        "a\0b": "is not a name that a file can have",
    }.items():
        with pytest.raises(errors.FileError, match=words):
            write_atomically(tmp_path / name, b"new")
    assert sorted(os.listdir(tmp_path)) == ["loop", "lost", "text"]
    with pytest.raises(errors.KindError, match="is not a path"):
        write_atomically(3, b"new")


def test_what_can_be_no_path_is_also_said_before_there_is_anything_to_write(tmp_path):
    with pytest.raises(errors.KindError, match="None is not a path"):
        expect_writable(None, "name another")
    with pytest.raises(errors.FileError, match="is not a name that a file can have"):
        expect_writable(tmp_path / "a\0b", "name another")


def test_the_home_folder_is_what_a_tilde_means(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_atomically("~/x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
