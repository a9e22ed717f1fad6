"""A model in a file: a plain .npz, without pickle, the same bytes for the same model.

    config.npy            one string: JSON with the format's version, the model's class and
                          settings, its networks' layers, and how it was trained
    encoder.1.w.npy ...   one array for each parameter and each piece of state, by its name

The members are stored uncompressed and without times. Reading trusts nothing: the layers are built
first, which takes no memory; then each array's declared shape is compared with the shape that its
layer wants and with the bytes in the file; only then is memory taken. `load` reads whatever `save`
writes: configuration.py checks that before anything is written. See docs/file-format.md.
"""

import io
import os
import zipfile
from typing import IO, Any

import numpy as np

from ..data.npy import (
    LONGEST_HEADER,
    PICKLE,
    PICKLE_START,
    ZIP_STARTS,
    member_header,
    only_file_errors,
    open_zip,
    read_into,
    read_member,
)
from ..ground.arguments import Array
from ..ground.errors import DataError, FileError, KindError, cut
from ..ground.keywords import explains_keywords
from ..ground.opening import Opened, open_named
from ..ground.versions import require
from ..ground.writing import whole_file
from ..kernels.formulas import want_loops
from ..models import MODELS, Model
from ..nn import Layout
from .configuration import (
    LONGEST_CONFIG,
    blank,
    checked_json,
    expect_known,
    parts,
    problem_text,
    read_json,
)

NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip archive


@explains_keywords
def save(model: Model, file: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write `model` to a path, or to a binary file object, from its present position.

    A path is written whole or not at all (writing.py), and no ending is added to it. Raises
    FileError where the file cannot be written, DataError for weights that are not finite or a
    training log that no file can hold, and OptionError for layers and other parts that no file can
    hold. After an error, nothing has been written.
    """
    if not isinstance(model, Model):
        raise KindError(f"save got {type(model).__name__} as its model: wants one of sg.models")
    if MODELS.get(model.kind) is not type(model):
        raise KindError(
            f"save got a {type(model).__name__}, which is not one of scratchgen's models, so that "
            f"no file can hold it: add the class to scratchgen.models.MODELS, under its own kind"
        )
    if not model.is_finite():
        raise DataError(
            "the model holds NaN or infinity: train it again with a lower learning rate"
        )
    text = checked_json(model)
    if isinstance(file, str | os.PathLike):
        with whole_file(file) as stream:
            _write(model, text, stream)
    else:
        data = io.BytesIO()
        _write(model, text, data)
        _hand_over(data.getvalue(), file)


@explains_keywords
def load(file: str | os.PathLike[str] | bytes | IO[bytes], jit: bool = False) -> Model:
    """Read the model that `save` wrote, from a path, from bytes, or from a binary file object.

    NumPy alone runs a loaded model, unless this process trains too; with jit, numba's loops for the
    kernels do, after the second that it takes to import numba. Raises MissingExtraError where
    that is asked for and numba is not installed.

    It is safe with files from strangers: nothing is unpickled or run, and no memory is taken that
    the file does not fill. Import your own layers and other classes first. Raises FileError for a
    file that is missing, truncated, inconsistent, or not a model.
    """
    if jit:
        require("numba", "load(..., jit=True)")
        want_loops()
    stream, size, what = _open(file)
    with stream:
        with only_file_errors(what):
            start = stream.read(2)
            stream.seek(0)
        if start[:1] == PICKLE_START:
            raise FileError(f"{what} holds {PICKLE}: wants a file that sg.save wrote")
        if start != b"PK":
            raise FileError(f"{what} is no model file: wants an .npz that sg.save wrote")
        with open_zip(stream, what) as archive:
            return _read(archive, size, what)


def _write(model: Model, text: str, stream: IO[bytes]) -> None:
    """Write the archive to a seekable stream: zip completes each header after its member."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "config", np.array(text))
        for entry, array in model.block.arrays():
            _add(archive, entry.name, array)


def _add(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    header = io.BytesIO()
    declared = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(header, declared)
    info = zipfile.ZipInfo(f"{name}.npy", NO_TIME)
    info.file_size = len(header.getbuffer()) + array.nbytes
    with archive.open(info, "w") as member:
        member.write(header.getbuffer())
        member.write(array.reshape(-1).view(np.uint8).data)


def _hand_over(data: bytes, file: Any) -> None:
    """Write all of it to a file object; a raw one, such as a socket, may take it in parts."""
    if isinstance(file, io.TextIOBase):
        raise KindError("save got a text file: open it in binary mode, open(path, 'wb')")
    if not hasattr(file, "write"):
        raise KindError(f"save got file={file!r}: wants a path or a binary file object")
    raw = isinstance(file, io.RawIOBase)
    rest: bytes | memoryview = data
    try:
        while len(rest):
            taken = file.write(rest)
            if not raw and not (type(taken) is int and taken < len(rest)):
                break  # it took all, or does not tell
            if not raw or not taken:
                raise FileError(
                    f"the given file took {taken or 0:,} of {len(rest):,} bytes: wants one that "
                    f"takes all, such as io.BytesIO()"
                )
            rest = memoryview(rest)[taken:]
        if hasattr(file, "flush"):
            file.flush()  # here a full disk raises
    except FileError:
        raise
    except (OSError, ValueError, TypeError) as problem:
        raise FileError(f"the given file cannot be written: {problem}") from problem


def _open(file: Any) -> Opened:
    if isinstance(file, bytes | bytearray | memoryview):
        data = bytes(file)
        return Opened(io.BytesIO(data), len(data), "the given bytes")
    if hasattr(file, "read"):
        try:
            data = file.read()
        except (OSError, ValueError) as problem:
            raise FileError(f"the given file cannot be read: {problem}") from problem
        if not isinstance(data, bytes):
            raise KindError("load got a text file: open it in binary mode, open(path, 'rb')")
        return Opened(io.BytesIO(data), len(data), "the given file")
    if not isinstance(file, str | os.PathLike):
        raise KindError(f"load got {file!r}: wants a path, bytes, or a binary file object")
    return open_named(file, (*ZIP_STARTS, PICKLE_START), "a model that sg.save wrote")


def _read(archive: zipfile.ZipFile, size: int, what: str) -> Model:
    infos = {info.filename: info for info in archive.infolist()}
    if "config.npy" not in infos:
        raise FileError(f"{what} is an .npz, but no model: wants one that sg.save wrote")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
        raise FileError(f"{what} is compressed, which sg.save never does: wants the file it wrote")
    if len(infos) != len(archive.infolist()) or sum(i.file_size for i in infos.values()) > size:
        raise FileError(f"{what} declares more than its {size:,} bytes: damaged or hostile")
    if infos["config.npy"].file_size > 4 * LONGEST_CONFIG + LONGEST_HEADER:
        raise FileError(f"{what} has a configuration of absurd length: damaged or hostile")
    described = read_json(read_member(archive, "config.npy", what), what)
    try:
        kind, networks, dtype = parts(described)
        _expect_members(archive, Layout(**networks), dtype, what)
        model = blank(described, kind, networks, dtype)
    except (FileError, MemoryError):
        raise
    except Exception as problem:  # a layer or a model of the user's own may raise anything
        expect_known(described, what)
        raise FileError(
            f"{what} describes no model that can be built ({problem_text(problem)}): damaged, or "
            f"made by another program"
        ) from problem
    for entry, array in model.block.arrays():
        read_into(archive, f"{entry.name}.npy", what, array)
    if not model.is_finite():
        raise FileError(f"{what} holds weights that are NaN or infinite: train the model again")
    return model


def _expect_members(
    archive: zipfile.ZipFile, layout: Layout, dtype: np.dtype[Any], what: str
) -> None:
    """FileError unless the archive holds exactly the arrays of the layout; reads headers only."""
    expected = {f"{entry.name}.npy": entry for entry in layout.entries}
    present = set(archive.namelist()) - {"config.npy"}
    if present != set(expected):
        odd = sorted(present ^ set(expected))
        raise FileError(
            f"{what} does not hold the arrays of its networks ({len(odd)} missing or odd, such as "
            f"{cut(odd[0])}): damaged, make it again"
        )
    for name, entry in expected.items():
        header = member_header(archive, name, what)
        if header.shape != entry.shape or header.dtype != dtype:
            raise FileError(
                f"{name!r} in {what} has shape {header.shape}, {header.dtype}, its layer "
                f"{entry.layer} wants {entry.shape}, {dtype}: damaged, make it again"
            )


__all__ = ["load", "save"]
