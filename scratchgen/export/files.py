"""A model in a file: a plain .npz, without pickle, the same bytes for the same model.

    config.npy            one string: JSON with the format's version, the model's class and
                          settings, its networks' layers, and how it was trained
    encoder.1.w.npy ...   one array for each parameter and each piece of state, by its name

The members are stored uncompressed and without times. Reading trusts nothing: the layers are built
first, which takes no memory, then each array's declared shape is compared with what its layer wants
and with the bytes the file has, and only then is memory taken. What `save` writes, `load`
reads: before anything is written, the description is built as `load` would. See
docs/file-format.md.
"""

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from ..checks import Array, float_type, nearest, one_of
from ..data.npy import (
    LONGEST_HEADER,
    PICKLE,
    PICKLE_START,
    ZIP_STARTS,
    member_header,
    open_zip,
    read_into,
    read_member,
)
from ..distributions import LIKELIHOODS
from ..errors import DataError, FileError, KindError, OptionError, ScratchgenError, cut
from ..kernels.twins import want_twins
from ..losses import LOSSES, PENALTIES
from ..models import MODELS, Model
from ..nn import LAYERS, Layer, Layout, Network, build, describe
from ..nn.network import places
from ..opening import Opened, open_named
from ..versions import require
from ..writing import whole_file
from .records import plain_log

FORMAT = 2
SCALED = 3  # the format of a model with a scaler, whose units an older reader would ignore
LONGEST_CONFIG = 2**22  # letters, of which NumPy makes four bytes each
MOST_PARTS = 2**17  # dicts and lists in a configuration, which take far more memory than letters
LONGEST = 1_000  # letters of an array's name
MOST_LAYERS = 50_000  # that are described, those with layers within them too
MOST_PLACES = 10_000  # layers that a pass goes through; a few, used again, could be 2^60
MOST_DEPTH = 64  # layers within each other
NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say
# where the classes are kept that a file names, which users can add their own to
KNOWN: dict[str, tuple[str, Mapping[str, Any]]] = {
    "model": ("scratchgen.models.MODELS", MODELS),
    "layer": ("scratchgen.nn.LAYERS", LAYERS),
    "likelihood": ("scratchgen.distributions.LIKELIHOODS", LIKELIHOODS),
    "loss": ("scratchgen.losses.LOSSES", LOSSES),
    "penalty": ("scratchgen.losses.PENALTIES", PENALTIES),
}


def save(model: Model, file: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write `model` to a path, or to a binary file object, at its present place.

    A path is written whole or not at all, as writing.py says, and has no ending added. Raises
    FileError where the file cannot be written, DataError for weights that are not finite or a
    training log that no file can hold, and OptionError for layers and other parts that no file can
    hold; nothing has been written then.
    """
    if not isinstance(model, Model):
        raise KindError(f"save got {type(model).__name__} as its model: wants one of sg.models")
    if MODELS.get(model.kind) is not type(model):
        raise KindError(
            f"save got a {type(model).__name__}, which is not one of scratchgen's models, so that "
            f"no file can hold it: add the class to scratchgen.models.MODELS, under its own kind"
        )
    if not all(block.is_finite() for block in model.players.values()):
        raise DataError(
            "the model holds NaN or infinity: train it again with a lower learning rate"
        )
    text = _description(model)
    if isinstance(file, str | os.PathLike):
        with whole_file(file) as stream:
            _write(model, text, stream)
    else:
        data = io.BytesIO()
        _write(model, text, data)
        _hand_over(data.getvalue(), file)


def load(file: str | os.PathLike[str] | bytes | IO[bytes], jit: bool = False) -> Model:
    """The model that `save` wrote to a path, or that is in bytes or in a binary file object.

    NumPy alone runs a loaded model, unless this process trains too; with jit, numba's twins of the
    kernels do, after the second that it takes to import numba. Raises MissingExtraError where
    that is asked for and numba is not installed.

    Safe on files from strangers: nothing is unpickled or run, and no memory is taken that the file
    does not fill. Layers and other classes of one's own must have been imported before. Raises
    FileError for what is missing, truncated, foreign, or fits itself badly.
    """
    if jit:
        require("numba", "load(..., jit=True)")
        want_twins()
    stream, size, what = _open(file)
    with stream:
        start = stream.read(2)
        stream.seek(0)
        if start[:1] == PICKLE_START:
            raise FileError(f"{what} holds {PICKLE}: wants a file that sg.save wrote")
        if start != b"PK":
            raise FileError(f"{what} is no model file: wants an .npz that sg.save wrote")
        with open_zip(stream, what) as archive:
            return _read(archive, size, what)


def config(model: Model) -> dict[str, Any]:
    """Everything about a model but its arrays, as plain numbers, strings, lists and dicts."""
    met: list[Layer] = []
    settings = model.settings()
    described = {
        "format": format_of(settings),
        "model": model.kind,
        "dtype": model.dtype.name,
        "settings": settings,
        "networks": {name: describe(net, met) for name, net in model.networks.items()},
        "training": plain_log(model.training_log),
    }
    modules = {f"{what} {name}": _module(what, name) for what, name in _named(described)}
    foreign = {name: module for name, module in modules.items() if module}
    return {**described, "modules": foreign} if foreign else described


def format_of(settings: dict[str, Any]) -> int:
    """The format of the file of a model with these settings."""
    return SCALED if "scaler" in settings else FORMAT


def _description(model: Model) -> str:
    """The configuration as JSON, once it is known that `load` builds the same model from it."""
    try:
        text = json.dumps(config(model), allow_nan=False)
    except ScratchgenError:
        raise
    except (TypeError, ValueError, RecursionError) as problem:
        raise OptionError(f"no file can hold this {model.kind} ({_said(problem)})") from problem
    try:
        described = json.loads(text)
        again = _blank(described, *_parts(described))
        same = _arrays(again) == _arrays(model) and json.dumps(config(again)) == text
    except MemoryError:
        raise
    except Exception as problem:  # a layer or a model of the user's own may raise anything
        raise OptionError(
            f"no file can hold this {model.kind}, because it could not be built again from what "
            f"describes it ({_said(problem)})"
        ) from problem
    if not same:
        raise OptionError(
            f"no file can hold this {model.kind}, because another would be built from what "
            f"describes it: the fields of a layer must be all that it is made of"
        )
    if _is_too_long(text):
        raise DataError(
            f"no file can hold this {model.kind}, because what describes it, with "
            f"{len(model.training_log):,} records of training, has {len(text):,} letters, wants "
            f"at most {LONGEST_CONFIG:,}: keep fewer records, del model.training_log[:-100]"
        )
    return text


def _is_too_long(text: str) -> bool:
    return len(text) > LONGEST_CONFIG or text.count("{") + text.count("[") > MOST_PARTS


def _arrays(model: Model) -> dict[str, tuple[int, ...]]:
    """The shapes of all arrays of a model, by the names that a file has them by."""
    shapes: dict[str, tuple[int, ...]] = {}
    for block in model.players.values():
        for entry in block.layout.entries:
            if entry.name in shapes or not entry.name.isprintable() or len(entry.name) > LONGEST:
                raise OptionError(f"{cut(entry.name)!r} cannot be the name of an array")
            shapes[entry.name] = entry.shape
    return shapes


def _write(model: Model, text: str, stream: IO[bytes]) -> None:
    """The archive, into a stream that can go back: each member's header is completed after it."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "config", np.array(text))
        for block in model.players.values():
            for entry, array in block.arrays():
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
    """Write all of it to a file object; raw ones, such as sockets, may take a part at a time."""
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
                break  # it says that it took all, or says nothing
            if not raw or not taken:
                raise FileError(
                    f"the given file took {taken or 0:,} of {len(rest):,} bytes: wants one that "
                    f"takes all, such as io.BytesIO()"
                )
            rest = memoryview(rest)[taken:]
        if hasattr(file, "flush"):
            file.flush()  # a full disk is found out here
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
        raise FileError(f"{what} is compressed, as sg.save never writes: wants the file it wrote")
    if len(infos) != len(archive.infolist()) or sum(i.file_size for i in infos.values()) > size:
        raise FileError(f"{what} claims more than its {size:,} bytes: damaged or hostile")
    described = _config(archive, what)
    try:
        kind, networks, dtype = _parts(described)
        _expect_members(archive, Layout(**networks), dtype, what)
        model = _blank(described, kind, networks, dtype)
    except (FileError, MemoryError):
        raise
    except Exception as problem:  # a layer or a model of the user's own may raise anything
        _expect_known(described, what)
        raise FileError(
            f"{what} describes no model that can be built ({_said(problem)}): damaged, or made by "
            f"another program"
        ) from problem
    for block in model.players.values():
        for entry, array in block.arrays():
            read_into(archive, f"{entry.name}.npy", what, array)
        if not block.is_finite():
            raise FileError(f"{what} holds weights that are NaN or infinite: train the model again")
    return model


def _config(archive: zipfile.ZipFile, what: str) -> dict[str, Any]:
    too_long = f"{what} has a configuration of absurd length: damaged or hostile"
    if archive.getinfo("config.npy").file_size > 4 * LONGEST_CONFIG + LONGEST_HEADER:
        raise FileError(too_long)
    try:
        text = str(read_member(archive, "config.npy", what))
        if _is_too_long(text):
            raise FileError(too_long)
        described = json.loads(text)
        version = described["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise FileError(f"{what} has a configuration that cannot be read: damaged") from problem
    if type(version) is not int or version not in (FORMAT, SCALED):
        earlier = type(version) is int and version < FORMAT
        advice = "train the model again" if earlier else "update scratchgen"
        raise FileError(
            f"{what} has format {cut(repr(version))}, this scratchgen reads {FORMAT} and "
            f"{SCALED}: {advice}"
        )
    return described


def _parts(described: dict[str, Any]) -> tuple[type[Model], dict[str, Network], np.dtype[Any]]:
    """A model's class, its networks, which take no memory, and its dtype."""
    kind = MODELS[one_of(described["model"], MODELS, "model")]
    for number, (_, depth) in enumerate(_layers(described["networks"])):
        if number >= MOST_LAYERS or depth > MOST_DEPTH:
            raise OptionError(
                f"wants at most {MOST_LAYERS:,} layers, and {MOST_DEPTH} within each other"
            )
    met: list[Layer] = []
    networks = {name: _network(described["networks"][name], met) for name in kind.network_names}
    return kind, networks, float_type(described["dtype"])


def _blank(
    described: dict[str, Any],
    kind: type[Model],
    networks: dict[str, Network],
    dtype: np.dtype[Any],
) -> Model:
    """The model of these parts, all of whose arrays are to be written."""
    model = kind.from_settings(networks, described["settings"], dtype)
    settings = json.loads(json.dumps(model.settings()))
    if settings != described["settings"] or format_of(settings) != described["format"]:
        raise OptionError("the settings do not fit the networks")
    model.training_log = plain_log(described["training"])
    return model


def _network(description: Any, met: list[Layer]) -> Network:
    network = build(description, met)
    if not isinstance(network, Network):
        raise TypeError(f"{network} is not a Network")
    if places(network) > MOST_PLACES:
        raise ValueError(f"a network of {places(network):,} layers, one after the other")
    return network


def _layers(description: Any) -> Iterator[tuple[str, int]]:
    """The class of every layer in a description, by its name, and how deep it lies in others."""
    rest = [(description, 0)]
    while rest:
        value, depth = rest.pop()
        if isinstance(value, dict):
            if isinstance(value.get("layer"), str):
                depth += 1
                yield value["layer"], depth
            value = list(value.values())
        if isinstance(value, list):
            rest += [(item, depth) for item in value if isinstance(item, dict | list)]


def _named(described: dict[str, Any]) -> list[tuple[str, str]]:
    """All that a configuration names of what is in KNOWN, each once, as ("layer", "Dense")."""
    found = [("model", described.get("model"))]
    found += [("layer", name) for name, _ in _layers(described.get("networks"))]
    settings = described.get("settings")
    for what in ("likelihood", "loss", "penalty"):
        one = settings.get(what) if isinstance(settings, dict) else None
        found.append((what, one.get("name") if isinstance(one, dict) else one))
    return list(dict.fromkeys((what, name) for what, name in found if isinstance(name, str)))


def _module(what: str, name: str) -> str:
    """The module of a class, or of a game's functions, of the user's own; "" for one of ours."""
    one = KNOWN[what][1].get(name)
    module = getattr(getattr(one, "discriminator", one), "__module__", "")
    ours = __name__.partition(".")[0]
    return "" if module.partition(".")[0] in (ours, "__main__", "builtins") else module


def _expect_known(described: dict[str, Any], what: str) -> None:
    """FileError where a class is missing, with the module to import where the file knows it."""
    modules = described.get("modules")
    for part, name in _named(described):
        place, known = KNOWN[part]
        if name in known:
            continue
        module = modules.get(f"{part} {name}") if isinstance(modules, dict) else None
        needs = f"{what} needs the {part} {cut(repr(name), 60)}"
        if not isinstance(module, str) or not module.replace(".", "_").isidentifier():
            raise FileError(
                f"{needs}, which is none of scratchgen's{nearest(name, known)}: before loading, "
                f"import the module that defines it and adds it to {place} (in a shell: --import "
                f"MODULE)"
            )
        if module in sys.modules:
            raise FileError(f"{needs} of {module}: see that it is added to {place} there")
        raise FileError(
            f"{needs}: before loading, import {cut(module, 200)}, which is to add it to {place} "
            f"(in a shell: --import {cut(module, 200)})"
        )


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
            f"{cut(odd[0])}): damaged, make it again"
        )
    for name, entry in wanted.items():
        header = member_header(archive, name, what)
        if header.shape != entry.shape or header.dtype != dtype:
            raise FileError(
                f"{name!r} in {what} has shape {header.shape}, {header.dtype}, its layer "
                f"{entry.layer} wants {entry.shape}, {dtype}: damaged, make it again"
            )


def _said(problem: Exception) -> str:
    return cut(f"{type(problem).__name__}: {problem}", 300)


__all__ = ["FORMAT", "config", "load", "save"]
