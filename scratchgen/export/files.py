"""A model in a file: a plain .npz, without pickle, the same bytes for the same model.

    config.npy            one string: JSON with the format's version, the model's class and
                          settings, its networks' layers, and how it was trained
    encoder.1.w.npy ...   one array for each parameter and each piece of state, by its name

The members are stored uncompressed and without times. Reading trusts nothing: the layers are built
first, which takes no memory, then each array's declared shape is compared with what its layer wants
and with the bytes the file has, and only then is memory taken. See docs/file-format.md.
"""

import contextlib
import io
import json
import os
import zipfile
from typing import IO, Any

import numpy as np

from ..checks import float_type, one_of, user_path
from ..data.npy import PICKLE, member_header, open_zip, read_member
from ..errors import DataError, FileError, KindError, ScratchgenError
from ..kernels.twins import want_twins
from ..models import MODELS, Model
from ..nn import Layer, Layout, Network, build, describe
from ..nn.network import places
from ..versions import require

FORMAT = 2
SCALED = 3  # the format of a model with a scaler, whose units an older reader would ignore
LONGEST_CONFIG = 2**24  # bytes
MOST_PLACES = 10_000  # layers that a pass goes through; a few, used again, could be 2^60
RECORD_COUNTS = ("epochs", "steps", "examples", "batch_size", "seed")
NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say


def save(model: Model, file: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write `model` to a path (through a temporary file beside it) or to a binary file object.

    Raises FileError where that cannot be written, DataError for weights that are not finite.
    """
    if not isinstance(model, Model):
        raise KindError(f"save got {type(model).__name__} as its model: wants one of sg.models")
    if MODELS.get(model.kind) is not type(model):
        raise KindError(
            f"save got a {type(model).__name__}, which is not one of scratchgen's models, so that "
            f"no file can hold it: add the class to scratchgen.models.MODELS, under its own kind"
        )
    blocks = model.players.values()
    if not all(block.is_finite() for block in blocks):
        raise DataError(
            "the model holds NaN or infinity: train it again with a lower learning rate"
        )
    members = {"config": np.array(json.dumps(config(model), allow_nan=False))}
    members |= {entry.name: array for block in blocks for entry, array in block.arrays()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", NO_TIME), content.getvalue())
    if isinstance(file, str | os.PathLike):
        _write_whole(file, data.getvalue())
    elif hasattr(file, "write"):
        try:
            file.write(data.getvalue())
        except (OSError, ValueError, TypeError) as problem:
            raise FileError(f"the given file cannot be written: {problem}") from problem
    else:
        raise KindError(f"save got file={file!r}: wants a path or a binary file object")


def load(file: str | os.PathLike[str] | bytes | IO[bytes], jit: bool = False) -> Model:
    """The model that `save` wrote to a path, or that is in bytes or in a binary file object.

    NumPy alone runs a loaded model, unless this process trains too; with jit, numba's twins of the
    kernels do, after the second that it takes to import numba. Raises MissingExtraError where
    that is asked for and numba is not installed.

    Safe on files from strangers: nothing is unpickled or run, and no memory is taken that the file
    does not fill. Raises FileError for what is missing, truncated, foreign, or fits itself badly.
    """
    if jit:
        require("numba", "load(..., jit=True)")
        want_twins()
    stream, size, what = _open(file)
    with stream:
        start = stream.read(2)
        stream.seek(0)
        if start[:1] == b"\x80":
            raise FileError(f"{what} holds {PICKLE}: wants a file that sg.save wrote")
        if start != b"PK":
            raise FileError(f"{what} is no model file: wants an .npz that sg.save wrote")
        with open_zip(stream, what) as archive:
            return _read(archive, size, what)


def config(model: Model) -> dict[str, Any]:
    """Everything about a model but its arrays, as plain numbers, strings, lists and dicts."""
    met: list[Layer] = []
    settings = model.settings()
    return {
        "format": format_of(settings),
        "model": model.kind,
        "dtype": model.dtype.name,
        "settings": settings,
        "networks": {name: describe(net, met) for name, net in model.networks.items()},
        "training": model.training_log,
    }


def format_of(settings: dict[str, Any]) -> int:
    """The format of the file of a model with these settings."""
    return SCALED if "scaler" in settings else FORMAT


def _open(file: Any) -> tuple[IO[bytes], int, str]:
    if isinstance(file, bytes | bytearray | memoryview):
        data = bytes(file)
        return io.BytesIO(data), len(data), "the given bytes"
    if hasattr(file, "read"):
        try:
            data = file.read()
        except (OSError, ValueError) as problem:
            raise FileError(f"the given file cannot be read: {problem}") from problem
        if not isinstance(data, bytes):
            raise KindError("load got a text file: open it in binary mode, open(path, 'rb')")
        return io.BytesIO(data), len(data), "the given file"
    if not isinstance(file, str | os.PathLike):
        raise KindError(f"load got {file!r}: wants a path, bytes, or a binary file object")
    path = user_path(file)
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder: wants the model file in it, such as model.npz")
        return path.open("rb"), path.stat().st_size, str(path)
    except FileNotFoundError:
        raise FileError(f"there is no file {path}: wants a model that sg.save wrote") from None
    except (OSError, ValueError) as problem:
        if isinstance(problem, FileError):
            raise
        raise FileError(f"{path} cannot be read: {problem}") from problem


def _read(archive: zipfile.ZipFile, size: int, what: str) -> Model:
    infos = {info.filename: info for info in archive.infolist()}
    if "config.npy" not in infos:
        raise FileError(f"{what} is an .npz, but no model: wants one that sg.save wrote")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
        raise FileError(f"{what} is compressed, as sg.save never writes: wants the file it wrote")
    if len(infos) != len(archive.infolist()) or sum(i.file_size for i in infos.values()) > size:
        raise FileError(f"{what} claims more than its {size:,} bytes: damaged or hostile")
    described = _config(archive, what)
    try:
        kind = MODELS[one_of(described["model"], MODELS, "model")]
        met: list[Layer] = []
        networks = {name: _network(described["networks"][name], met) for name in kind.network_names}
        dtype = float_type(described["dtype"])
        layout = Layout(**networks)
        _expect_members(archive, layout, dtype, what)
        model = kind.from_settings(networks, described["settings"], dtype)
        settings = json.loads(json.dumps(model.settings()))
        if settings != described["settings"] or format_of(settings) != described["format"]:
            raise FileError(f"{what} has settings that do not fit its networks: damaged")
        model.training_log = [_record(record) for record in described["training"]]
    except FileError:
        raise
    except (
        ScratchgenError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
    ) as problem:
        raise FileError(
            f"{what} describes no model that can be built ({type(problem).__name__}: {problem}): "
            f"damaged, or made by another program"
        ) from problem
    for block in model.players.values():
        for entry, array in block.arrays():
            array[...] = read_member(archive, f"{entry.name}.npy", what)
        if not block.is_finite():
            raise FileError(f"{what} holds weights that are NaN or infinite: train the model again")
    return model


def _config(archive: zipfile.ZipFile, what: str) -> dict[str, Any]:
    if archive.getinfo("config.npy").file_size > LONGEST_CONFIG:
        raise FileError(f"{what} has a configuration of absurd length: damaged or hostile")
    text = read_member(archive, "config.npy", what)
    try:
        described = json.loads(str(text))
        version = described["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise FileError(f"{what} has a configuration that cannot be read: damaged") from problem
    if type(version) is not int or version not in (FORMAT, SCALED):
        earlier = type(version) is int and version < FORMAT
        advice = "train the model again" if earlier else "update scratchgen"
        raise FileError(
            f"{what} has format {version!r}, this scratchgen reads {FORMAT} and {SCALED}: {advice}"
        )
    return described


def _network(description: Any, met: list[Layer]) -> Network:
    network = build(description, met)
    if not isinstance(network, Network):
        raise TypeError(f"{network} is not a Network")
    if places(network) > MOST_PLACES:
        raise ValueError(f"a network of {places(network):,} layers, one after the other")
    return network


def _record(record: Any) -> dict[str, Any]:
    """One record of training, in which whoever prints it will find what `fit` writes."""
    counts = all(type(record[name]) is int for name in RECORD_COUNTS)
    named = all(isinstance(one, dict) and "name" in one for one in record["optimizer"].values())
    losses = all(type(value) in (int, float) for value in record["losses"].values())
    if not (counts and named and losses and _is_plain(record)):
        raise ValueError("a record of training that fit did not write")
    return dict(record)


def _is_plain(value: Any) -> bool:
    """Numbers, printable text, and dicts of such: safe to print on a terminal."""
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, str):
        return value.isprintable()
    return isinstance(value, int | float) and abs(value) < 2**63


def _expect_members(
    archive: zipfile.ZipFile, layout: Layout, dtype: np.dtype[Any], what: str
) -> None:
    """FileError unless the archive holds just the arrays of the layout; reads headers only."""
    wanted = {f"{entry.name}.npy": entry for entry in layout.entries}
    have = set(archive.namelist()) - {"config.npy"}
    if have != set(wanted):
        odd = sorted(have ^ set(wanted))
        raise FileError(
            f"{what} does not hold the arrays of its networks ({len(odd)} missing or odd, such as "
            f"{odd[0]}): damaged, make it again"
        )
    for name, entry in wanted.items():
        header = member_header(archive, name, what)
        if header.shape != entry.shape or header.dtype != dtype:
            raise FileError(
                f"{name!r} in {what} has shape {header.shape}, {header.dtype}, its layer "
                f"{entry.layer} wants {entry.shape}, {dtype}: damaged, make it again"
            )


def _write_whole(file: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    path, part = user_path(file), None
    try:
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)
    except (OSError, ValueError) as problem:
        if part is not None:
            with contextlib.suppress(OSError, ValueError):
                part.unlink(missing_ok=True)
        reason = getattr(problem, "strerror", None) or problem
        raise FileError(f"{file} cannot be written: {reason}") from problem


__all__ = ["FORMAT", "config", "load", "save"]
