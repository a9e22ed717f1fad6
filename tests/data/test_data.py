"""Built-in data, and data from disk in good and bad shape."""

import contextlib
import gzip
import io
import itertools
import lzma
import math
import os
import pickle
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import damaged, declaring, directory, headed, idx, npy
from hypothesis import given
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen.data import GRID, RING
from scratchgen.data.npy import only_file_errors
from scratchgen.distributions import Categorical
from scratchgen.ground import errors

MNIST = Path(os.environ.get("SCRATCHGEN_DATA", "")) / "mnist"
needs_mnist = pytest.mark.skipif(
    not (os.environ.get("SCRATCHGEN_DATA") and MNIST.is_dir()),
    reason="SCRATCHGEN_DATA names no folder that holds mnist/",
)


# digits


def test_digits_are_pictures_in_the_unit_interval_with_labels():
    x, labels = sg.data.digits(500, rng=0, return_labels=True)
    assert x.shape == (500, 28, 28, 1)
    assert x.dtype == np.float32
    assert x.min() == 0
    assert x.max() == 1
    assert labels.shape == (500,)
    assert set(labels) == set(range(10))
    assert sg.data.digits(0).shape == (0, 28, 28, 1)


def test_digits_are_the_same_for_one_seed_and_others_for_another():
    assert np.array_equal(sg.data.digits(20, rng=4), sg.data.digits(20, rng=4))
    assert not np.array_equal(sg.data.digits(20, rng=4), sg.data.digits(20, rng=5))


def test_digits_are_antialiased_and_leave_no_ink_at_the_edge():
    x = sg.data.digits(500, rng=0)
    grey = ((x > 0.05) & (x < 0.95)).mean() / (x > 0.05).mean()
    assert grey > 0.2
    frame = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
    assert (frame.max(axis=(1, 2)) > 0.5).mean() < 0.02


def nearest_neighbour_reads(train, labels, test):
    a, b = train.reshape(len(train), -1), test.reshape(len(test), -1)
    return labels[((a**2).sum(1) - 2 * b @ a.T).argmin(axis=1)]


@pytest.fixture(scope="module")
def digits_by_name():
    """The built-in digits and their labels."""
    return sg.data.load("digits", return_labels=True)


def test_a_nearest_neighbour_reader_reads_digits_well_but_not_perfectly(digits_by_name):
    """Handwriting, not a font: between 90 and 99.5 % are read."""
    x, labels = digits_by_name
    test, truth = sg.data.digits(1_000, rng=1, return_labels=True)
    read = (nearest_neighbour_reads(x[:5_000], labels[:5_000], test) == truth).mean()
    assert 0.90 <= read <= 0.995


@needs_mnist
def test_a_reader_of_mnist_reads_our_digits():
    train, labels = sg.data.mnist(return_labels=True)
    test, truth = sg.data.digits(1_000, rng=1, return_labels=True)
    read = (nearest_neighbour_reads(train[:5_000], labels[:5_000], test) == truth).mean()
    assert read >= 0.75


# toys


@pytest.mark.parametrize(("mixture", "modes"), [(RING, 8), (GRID, 25)])
def test_toys_have_all_their_modes_and_their_spread(mixture, modes):
    x, labels = mixture.draw(50_000, rng=0)
    assert x.shape == (50_000, 2)
    assert x.dtype == np.float32
    assert len(np.unique(mixture.means.round(9), axis=0)) == modes
    assert np.bincount(labels, minlength=modes).min() > 0.9 * 50_000 / modes
    residual = x - mixture.means[labels]
    assert residual.std() == pytest.approx(mixture.std, rel=0.02)


def test_the_ring_begins_at_angle_zero_and_lies_on_the_unit_circle():
    np.testing.assert_allclose(RING.means[0], [1, 0])
    np.testing.assert_allclose(np.linalg.norm(RING.means, axis=1), 1)
    np.testing.assert_allclose(RING.means[1], [np.sqrt(0.5)] * 2)


def test_the_grid_stands_on_even_numbers():
    assert {tuple(mean) for mean in GRID.means} == {
        (i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)
    }


@pytest.mark.parametrize("mixture", [RING, GRID])
def test_true_densities_integrate_to_one_around_each_mode(mixture):
    side = np.linspace(-6 * mixture.std, 6 * mixture.std, 201)
    window = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    mass = np.exp(mixture.log_prob(mixture.means[3] + window)).sum() * (side[1] - side[0]) ** 2
    assert mass * len(mixture.means) == pytest.approx(1, rel=1e-6)


DRAWS = [
    getattr(sg.data, name)
    for name in ("digits", "ring", "grid", "swiss_roll", "two_moons", "spiral")
]


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("n", [-3, 2.5, "many", True, None])
def test_a_count_that_makes_no_sense_is_refused(draw, n):
    with pytest.raises(errors.OptionError, match="wants a whole number"):
        draw(n)


# from disk


IMAGES = np.arange(6 * 4 * 3).reshape(6, 4, 3) % 256
LABELS = np.array([3, 1, 4, 1, 5, 9])


@pytest.fixture
def folder(tmp_path):
    """A folder as MNIST's, with a test set of two."""
    for prefix, n in (("train", 6), ("t10k", 2)):
        images, labels = idx(IMAGES[:n]), idx(LABELS[:n])
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)
    return tmp_path


def test_a_folder_of_idx_files_is_read_plain_or_gzipped(folder):
    x, labels = sg.data.load(folder, return_labels=True)
    assert x.shape == (6, 4, 3, 1)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[..., 0], IMAGES / 255, rtol=1e-6)
    assert labels.tolist() == LABELS.tolist()
    assert sg.data.load(str(folder), split="test").shape == (2, 4, 3, 1)


def test_emnist_is_turned_upright(tmp_path):
    name = "emnist-letters-train-images-idx3-ubyte.gz"
    (tmp_path / name).write_bytes(gzip.compress(idx(IMAGES)))
    x, labels = sg.data.load(tmp_path, return_labels=True)
    np.testing.assert_allclose(x[..., 0], IMAGES.swapaxes(1, 2) / 255, rtol=1e-6)
    assert labels is None


def in_a_folder_of_its_name(path: Path) -> None:
    """A file, moved into a folder that is called as the file was, as Kaggle has them."""
    data = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / path.name).write_bytes(data)


@pytest.mark.parametrize("beside", [False, True])
def test_mnist_is_read_as_kaggle_packs_it(folder, beside):
    """Each file in a folder of the same name, and again beside it, with a dot for a hyphen."""
    for path in list(folder.iterdir()):
        plain = path.with_name(path.name.removesuffix(".gz"))
        data = path.read_bytes()
        path.unlink()
        plain.write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
        if beside:
            dotted = plain.name.replace("-idx", ".idx")
            plain.with_name(dotted).write_bytes(plain.read_bytes())
        in_a_folder_of_its_name(plain)
    x, labels = sg.data.load(folder, return_labels=True)
    np.testing.assert_allclose(x[..., 0], IMAGES / 255, rtol=1e-6)
    assert labels.tolist() == LABELS.tolist()
    x, labels = sg.data.load(folder, return_labels=True, split="test")
    assert (len(x), labels.tolist()) == (2, [3, 1])
    assert sg.data.load(folder / "train-images-idx3-ubyte").shape == (6, 4, 3, 1)


def test_mnist_is_read_as_torchvision_stores_it(folder):
    """In a folder raw/, plain files beside those they were unpacked from."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.glob("*ubyte*"):
        (raw / path.name).write_bytes(path.read_bytes())
    (raw / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    x, labels = sg.data.load(folder / "MNIST", return_labels=True)
    assert x.shape == (6, 4, 3, 1)
    assert labels.tolist() == LABELS.tolist()


def test_the_error_for_a_folder_without_data_names_a_file_that_can_be_read(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((2, 2)))
    with pytest.raises(errors.FileError, match=r"name a file in it, as .*rows.npy"):
        sg.data.load(tmp_path)


def test_mnist_is_read_from_the_folder_in_the_environment(folder, monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_DATA", str(folder))
    for name in ("mnist", "fashion-mnist"):
        (folder / name).mkdir()
        for path in folder.glob("*ubyte*"):
            (folder / name / path.name).write_bytes(path.read_bytes())
    x, labels = sg.data.mnist(return_labels=True)
    assert x.shape == (6, 4, 3, 1)
    assert len(labels) == 6
    assert sg.data.fashion_mnist(split="test").shape == (2, 4, 3, 1)
    assert sg.data.load("fashion_mnist").shape == (6, 4, 3, 1)


def test_without_mnist_the_error_says_which_files_to_put_where(monkeypatch, tmp_path):
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    with pytest.raises(errors.FileError, match=r"train-images-idx3-ubyte\.gz.*SCRATCHGEN_DATA"):
        sg.data.mnist()
    monkeypatch.setenv("SCRATCHGEN_DATA", str(tmp_path))
    with pytest.raises(errors.FileError, match=r"has no folder .*fashion-mnist"):
        sg.data.fashion_mnist()


def test_arrays_are_read_from_npy_and_npz(tmp_path):
    matrix = np.arange(12.0).reshape(4, 3)
    np.save(tmp_path / "matrix.npy", np.asfortranarray(matrix))
    assert np.array_equal(sg.data.load(tmp_path / "matrix.npy"), matrix.astype(np.float32))
    np.save(tmp_path / "bytes.npy", IMAGES.astype(np.uint8))
    assert sg.data.load(tmp_path / "bytes.npy").shape == (6, 4, 3, 1)
    assert sg.data.load(tmp_path / "bytes.npy").max() == np.float32(71 / 255)
    np.savez_compressed(tmp_path / "both.npz", x=matrix, y=np.arange(4))
    x, labels = sg.data.load(tmp_path / "both.npz", return_labels=True)
    assert np.array_equal(x, matrix.astype(np.float32))
    assert labels.tolist() == [0, 1, 2, 3]
    np.savez(tmp_path / "one.npz", whatever=matrix)
    assert sg.data.load(tmp_path / "one.npz").shape == (4, 3)


def test_dtype_none_keeps_the_digits_of_vectors(tmp_path):
    money = 1e9 + np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "x.npy", money)
    assert sg.data.load(tmp_path / "x.npy").dtype == np.float32
    for dtype in (None, "float64"):
        x = sg.data.load(tmp_path / "x.npy", dtype=dtype)
        assert x.dtype == np.float64
        assert np.array_equal(x, money)
    np.savez(tmp_path / "x.npz", x=money.astype(np.int64), y=np.arange(3))
    x, labels = sg.data.load(tmp_path / "x.npz", return_labels=True, dtype=None)
    assert np.array_equal(x, money)
    assert labels.tolist() == [0, 1, 2]
    for kind in (np.float32, np.int16, np.uint8, bool):  # which float32 holds
        np.save(tmp_path / "x.npy", np.arange(6).reshape(3, 2).astype(kind))
        assert sg.data.load(tmp_path / "x.npy", dtype=None).dtype == np.float32
    np.save(tmp_path / "x.npy", IMAGES / 255)
    assert sg.data.load(tmp_path / "x.npy", dtype=None).dtype == np.float32
    assert sg.data.load("ring", dtype="float64").dtype == np.float64
    with pytest.raises(errors.OptionError, match="wants one of 'float32', 'float64'"):
        sg.data.load("ring", dtype="float16")


def test_one_idx_file_is_read_alone(folder):
    assert sg.data.load(folder / "train-images-idx3-ubyte.gz").shape == (6, 4, 3, 1)


def test_built_in_names_give_the_same_examples_every_time_and_others_to_test_on(digits_by_name):
    assert np.array_equal(sg.data.load("ring"), sg.data.ring(50_000, rng=0))
    assert np.array_equal(digits_by_name[0], sg.data.digits(10_000, rng=0))
    assert not np.array_equal(sg.data.load("grid"), sg.data.load("grid", split="test"))


def bomb() -> bytes:
    """A small .npz that declares 32 GiB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", declaring("(8589934592,)"))
    return file.getvalue()


def lying_zip() -> bytes:
    """An .npz whose directory claims a member of 4 GB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros(4)))
    data = bytearray(file.getvalue())
    at = data.index(b"PK\x01\x02") + 24  # the directory's uncompressed size
    data[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    return bytes(data)


GOOD = npy(np.zeros((4, 3)))
BAD = {
    "empty": (b"", "no .npy, .npz or IDX file"),
    "text": (b"1,2,3\n", "save the array with numpy.save"),
    "pickle": (pickle.dumps([1]), "never read"),
    "objects": (npy(np.array([None, {}], dtype=object)), "never read"),
    "truncated npy": (GOOD[:-5], "truncated"),
    "npy with a tail": (GOOD + b"more", "truncated or damaged"),
    "truncated header": (GOOD[:20], "not an array file"),
    "a vast npy": (
        GOOD.replace(b"(4, 3)", b"(99999, 999999)").replace(b" " * 9, b"", 1),
        "bytes, and has 96",
    ),
    "a vast npz": (bomb(), "34,359,738,368 bytes"),
    "a lying npz": (lying_zip(), "damaged or hostile"),
    "truncated npz": (bomb()[:-9], "truncated"),
    "text in npy": (npy(np.array([["a", "b"]])), "wants real numbers"),
    "complex npy": (npy(np.zeros((2, 2), complex)), "wants real numbers"),
    "no examples": (npy(np.zeros((0, 3))), "at least one example"),
    "one number": (npy(np.float64(3)), "wants pictures"),
    "truncated idx": (idx(IMAGES)[:-3], "fewer bytes"),
    "idx with a tail": (idx(IMAGES) + b"..", "more bytes"),
    "a vast idx": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "more than it can hold"),
    "a vast idx, gzipped": (
        gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12),
        "more than it can hold",
    ),
    "an idx of floats": (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "no .npy, .npz or IDX file"),
    "gzip in gzip": (gzip.compress(gzip.compress(idx(IMAGES))), "unpack it with gunzip"),
    "an npy, gzipped": (gzip.compress(GOOD), "unpack it with gunzip"),
    "a dtype of many fields": (
        headed("'" + "u1," * 100_000 + "u1'", data=bytes(400_004)),
        "a header of 300,0",
    ),
    "a name of many letters": (headed(f"[('{'a' * 10**6}', '<f4')]"), "a header of 1,000,0"),
    "a shape of many digits": (headed("'<f4'", f"(0x{'f' * 9000},)"), "an impossible shape"),
    "a shape of many axes": (headed("'<f4'", "(" + "1, " * 40 + ")"), "an impossible shape"),
    "a dtype of many numbers": (headed("'400u1'", data=bytes(1600)), "cannot be read"),
    "a dtype of no bytes": (headed("'|S0'"), "an impossible shape"),
    "an archive of many members": (directory(100_000), "a directory of 4,700,000 bytes"),
    "text and objects in npy": (headed("[('a', '|O')]"), "never read"),
    "dates": (npy(np.array([["2020-01-01"]], "M8[D]")), "wants real numbers"),
    "records": (npy(np.zeros(3, [("a", "f4"), ("b", "i8")])), "take some of its fields"),
    "numbers beyond float32": (npy(np.full((2, 2), 1e300)), "numbers too large for float32"),
    "channels in front": (npy(np.zeros((5, 3, 8, 8))), "np.moveaxis(x, 1, -1)"),
    "examples at the end": (npy(np.zeros((8, 8, 3, 9))), "np.moveaxis(x, -1, 0)"),
    "broken gzip": (gzip.compress(idx(IMAGES))[:-12], "cannot be read"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_is_refused_with_what_is_wrong(name, tmp_path):
    data, words = BAD[name]
    path = tmp_path / "data.bin"
    path.write_bytes(data)
    with pytest.raises(errors.ScratchgenError) as caught:
        sg.data.load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_costs_no_more_memory_than_twice_its_size_and_says_little(name, tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(BAD[name][0])
    tracemalloc.start()
    with pytest.raises(errors.ScratchgenError) as caught:
        sg.data.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * path.stat().st_size + 300_000
    assert len(str(caught.value)) < 400


def test_a_file_is_read_without_a_second_copy_of_it(tmp_path):
    """The float32 numbers that come out, and the file: 1 + 4 bytes for each of bytes."""
    for dtype, bytes_ in (("uint8", 1 + 4), ("float64", 8 + 4), ("float32", 4)):
        path = tmp_path / f"{dtype}.npy"
        np.save(path, np.full((1_000, 20, 50), 99, dtype))
        tracemalloc.start()
        sg.data.load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.2 * bytes_ * 10**6 + 2**21


def seeds() -> list[bytes]:
    """Small files of every kind that is read."""
    archive = io.BytesIO()
    np.savez_compressed(archive, x=np.zeros((4, 3)), y=np.array(["a", "b", "a", "b"]))
    bytes_ = idx(IMAGES)
    fields = npy(np.zeros(3, [("a", "f4"), ("b", "i8", (2,))]))
    return [
        GOOD,
        npy(IMAGES.astype(">f4")),
        fields,
        archive.getvalue(),
        bytes_,
        gzip.compress(bytes_),
    ]


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (MemoryError(), "too large for the memory"),
        (lzma.LZMAError("corrupt input"), r"cannot be read \(corrupt input\)"),
        (PermissionError(13, "Permission denied"), r"cannot be read \(Permission denied\)"),
        (TypeError("x" * 10_000), "if it is damaged, copy or make it again"),
        (IndexError(), "cannot be read"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_exception_of_a_reader_becomes_a_short_file_error(raised, words):
    with pytest.raises(errors.FileError, match=words) as caught, only_file_errors("data.npz"):
        raise raised
    assert len(str(caught.value)) < 200
    assert caught.value.__cause__ is raised


def test_ctrl_c_while_a_file_is_read_stays_ctrl_c():
    with pytest.raises(KeyboardInterrupt), only_file_errors("data.npz"):
        raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    path, refused, files = tmp_path / "file", 0, seeds()
    for k in range(120):
        path.write_bytes(damaged(files[k % len(files)], files[rng.integers(len(files))], rng))
        try:
            sg.data.load(path, return_labels=True)
        except errors.ScratchgenError:
            refused += 1
    assert 60 < refused < 120  # the others are damaged where it does not show


# fmt: off
DESCRIPTIONS = [
    "'<f4'", "'|b1'", "'|V4'", "'|V0'", "'O'", "'<c8'", "'<U3'", "'(2,2)f4'", "'f4,f4'", "None",
    "[('a','<f4')]", "('<f4',(2,2))", "3", "'<i3'", "[]", "[('','<f4')]", "'<f4", "'<U1000000000'",
    "'m8[99999999999999999999s]'", "[('a','<f4'),('a','<f4')]", "[('a',[('b','O')])]",
]
DECLARED = [
    "(2,2)", "()", "(0,3)", "(-1,4)", "(True,4)", "[4]", "(2.0,2)", "(None,)", "(10**3,)",
    "(4611686018427387904,0)",
]
# fmt: on


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_header_of_any_kind_is_read_or_refused_and_nothing_else(tmp_path, version):
    path, read = tmp_path / "file.npy", 0
    for descr, shape in itertools.product(DESCRIPTIONS, DECLARED):
        path.write_bytes(headed(descr, shape, version, bytes(16)))
        with contextlib.suppress(errors.ScratchgenError):
            assert sg.data.load(path).dtype == np.float32
            read += 1
    assert read == (1 if version < 3 else 0)  # four float32 in (2, 2)


def test_an_npz_of_several_arrays_and_a_model_are_not_data(tmp_path, small_gan):
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    with pytest.raises(errors.FileError, match="holds a, b: wants one array, or one called x"):
        sg.data.load(tmp_path / "two.npz")
    sg.save(small_gan, tmp_path / "model.npz")
    with pytest.raises(errors.FileError, match="is a model, not data"):
        sg.data.load(tmp_path / "model.npz")
    np.savez(tmp_path / "short.npz", x=np.zeros((3, 2)), y=np.zeros(2, int))
    with pytest.raises(errors.ShapeError, match="one whole number for each example"):
        sg.data.load(tmp_path / "short.npz")


def test_names_and_paths_that_lead_nowhere_are_named(tmp_path):
    with pytest.raises(errors.FileError, match="did you mean 'digits'"):
        sg.data.load("digit")
    with pytest.raises(errors.FileError, match="no data called"):
        sg.data.load(tmp_path / "none.npy")
    with pytest.raises(errors.FileError, match="holds no train-images"):
        sg.data.load(tmp_path)
    with pytest.raises(errors.OptionError, match="did you mean 'test'"):
        sg.data.load("ring", split="tests")
    with pytest.raises(errors.OptionError, match="or a path"):
        sg.data.load(7)


# what numbers mean


def saved(folder: Path, x: np.ndarray) -> Path:
    np.save(folder / "x.npy", x)
    return folder / "x.npy"


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float16"])
def test_pictures_of_0_and_1_stay_0_and_1_whatever_holds_them(tmp_path, dtype):
    x = (IMAGES % 2).astype(dtype)
    assert sorted(np.unique(sg.data.load(saved(tmp_path, x)))) == [0, 1]


@pytest.mark.parametrize(("largest", "divisor"), [(1, 1), (9, 1), (16, 1), (17, 255), (255, 255)])
def test_bytes_are_brightnesses_where_there_are_more_than_16(tmp_path, largest, divisor):
    x = np.full((2, 3, 3), largest, np.uint8)
    assert sg.data.load(saved(tmp_path, x)).max() == np.float32(largest / divisor)
    vectors = np.full((2, 3), largest, np.uint8)
    assert sg.data.load(saved(tmp_path, vectors)).max() == largest


def test_the_divisor_of_pictures_can_be_given(tmp_path):
    path = saved(tmp_path, np.full((2, 3, 3), 200, np.uint8))
    assert sg.data.load(path, divide_by=1).max() == 200
    assert sg.data.load(path, divide_by=400).max() == 0.5
    assert sg.data.load(saved(tmp_path, np.full((2, 3), 6.0)), divide_by=3).max() == 2
    for bad in (0, -1, np.nan, "255"):
        with pytest.raises(errors.OptionError, match="divide_by"):
            sg.data.load(path, divide_by=bad)


def test_numbers_of_other_kinds_are_not_guessed_at_and_models_say_what_to_do(tmp_path):
    x = np.full((4, 3, 3), 200, np.int64)
    x[0] = 255
    x = sg.data.load(saved(tmp_path, x))
    assert x.max() == 255
    with pytest.raises(errors.DataError, match="divide by 255, as in x / 255"):
        sg.models.vae((3, 3, 1), latent=1, hidden=(4,), rng=0).encode(x)


def test_categories_stay_as_they_are_and_the_error_for_divided_categories_says_how_to_restore_them(
    tmp_path,
):
    classes = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    path = saved(tmp_path, classes)
    likelihood = Categorical(classes=36)
    model = sg.models.vae((3, 3, 1), latent=1, hidden=(4,), likelihood=likelihood, rng=0)
    assert np.isfinite(model.elbo(sg.data.load(path, divide_by=1), rng=0)).all()
    with pytest.raises(errors.DataError, match=r"np.round\(255 \* x\)"):
        model.elbo(sg.data.load(path))
    assert np.array_equal(np.round(255 * sg.data.load(path))[..., 0], classes)


# labels


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (np.array([2, 0, 1, 2]), [2, 0, 1, 2]),
        (np.array([[2], [0], [1], [2]], np.uint8), [2, 0, 1, 2]),
        (np.array([2.0, 0.0, 1.0, 2.0]), [2, 0, 1, 2]),
        (np.array([True, False, True, True]), [1, 0, 1, 1]),
        (np.eye(5)[[2, 0, 1, 2]], [2, 0, 1, 2]),
        (np.eye(4, dtype=np.uint8), [0, 1, 2, 3]),
        (np.array(["cat", "ant", "bee", "cat"]), [2, 0, 1, 2]),
        (np.array([b"7", b"10", b"2", b"7"]), [7, 10, 2, 7]),
    ],
)
def test_labels_are_read_in_every_form_that_names_classes(tmp_path, y, labels):
    np.savez(tmp_path / "both.npz", x=np.zeros((4, 2)), y=y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = sg.data.load(tmp_path / "both.npz", return_labels=True)[1]
    assert read.dtype == np.int64
    assert read.tolist() == labels


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.array([0.5, 1.0, 2.0, 2.5]), "are not whole|not whole"),
        (np.array([0.0, np.nan, 1.0, 2.0]), "not whole"),
        (np.array(["0.5", "1", "2", "3"]), "not whole"),
        (np.array([0.0, np.inf, 1.0, 2.0]), "as large as inf"),
        (np.array([0, 1, 2, 2**64 - 1], np.uint64), "as large as"),
        (np.full((4, 3), 1 / 3), r"rows of shape \(4, 3\), which are not one-hot"),
        (np.zeros((4, 2, 2), int), r"shape \(4, 2, 2\), not one class"),
        (np.array(10), r"shape \(\), not one class"),
        (np.array(["a", None, "b", "c"], object), "pickled"),
        (np.zeros(4, complex), "is of dtype complex128"),
        (np.zeros(4, [("a", int)]), "is of dtype"),
    ],
)
def test_unreadable_labels_are_left_out_and_x_is_read(tmp_path, y, reason):
    x = np.arange(8.0).reshape(4, 2)
    np.savez(tmp_path / "both.npz", x=x, y=y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(sg.data.load(tmp_path / "both.npz"), x)
    with pytest.warns(UserWarning, match=f"no labels: .*({reason})"):
        read, labels = sg.data.load(tmp_path / "both.npz", return_labels=True)
    assert np.array_equal(read, x)
    assert labels is None


@pytest.mark.parametrize("names", [("X", "y"), ("X_train", "y_train"), ("data", "target")])
@pytest.mark.parametrize("images", [False, True])
def test_x_and_labels_are_found_by_the_names_that_people_use(tmp_path, names, images):
    x, y = names if not images else ("train_images", "train_labels")
    np.savez(tmp_path / "both.npz", **{x: np.ones((3, 2)), y: [0, 1, 2]})
    read, labels = sg.data.load(tmp_path / "both.npz", return_labels=True)
    assert read.shape == (3, 2)
    assert labels.tolist() == [0, 1, 2]


# batches


@pytest.mark.parametrize(
    ("n", "size", "even", "last_short"),
    [
        (10, 4, [4, 3, 3], [4, 4, 2]),
        (129, 128, [65, 64], [128, 1]),
        (12, 4, [4, 4, 4], [4, 4, 4]),
        (5, 5, [5], [5]),
        (3, 1, [1, 1, 1], [1, 1, 1]),
    ],
)
def test_batches_cover_everything_once_in_nearly_equal_sizes(n, size, even, last_short):
    x = np.arange(n)[:, None]
    for even_batches, sizes in ((True, even), (False, last_short)):
        drawn = list(sg.data.batches(x, size, rng=0, even_batches=even_batches))
        assert [len(batch) for batch in drawn] == sizes
        assert sorted(np.concatenate(drawn)[:, 0]) == list(range(n))


@given(n=st.integers(1, 500), size=st.integers(1, 500))
def test_batches_are_as_few_as_can_be_and_differ_by_one_example_at_most(n, size):
    size = min(n, size)
    sizes = [len(batch) for batch in sg.data.batches(np.zeros(n), size, rng=0)]
    assert sum(sizes) == n
    assert len(sizes) == math.ceil(n / size)
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


def test_batches_are_the_callers_own():
    x = np.zeros((6, 2))
    for batch in sg.data.batches(x, 3, rng=0):
        batch[:] = 1
    assert not x.any()


def test_bad_batches_are_refused_at_the_call():
    with pytest.raises(errors.DataError, match="no examples"):
        sg.data.batches(np.zeros((0, 2)), 1)
    for size in (0, 3, -1):
        with pytest.raises(errors.OptionError, match=f"batch_size={size}"):
            sg.data.batches(np.zeros((2, 2)), size)


@pytest.mark.parametrize("divide_by", [None, 10.0])
def test_numbers_below_those_of_float32_are_0_even_if_numpy_is_set_to_raise(divide_by, tmp_path):
    np.save(tmp_path / "x.npy", [[1e-50, 1.0], [1e-38, 2.0]])
    with np.errstate(all="raise"):
        x = sg.data.load(tmp_path / "x.npy", divide_by=divide_by)
    assert x[0, 0] == 0
    np.testing.assert_allclose(x[:, 1], np.array([1, 2]) / (divide_by or 1))


def test_text_of_a_million_letters_costs_little_more_than_its_file(tmp_path):
    wide = np.full((1, 2), "1", "<U1000000")
    wide.view(np.uint32)[:] = ord("a")
    path = tmp_path / "wide.npz"
    for arrays in ({"x": wide}, {"x": np.zeros((2, 3)), "y": wide[0]}):
        np.savez(path, **arrays)
        tracemalloc.start()
        with contextlib.suppress(errors.KindError):
            _, labels = sg.data.load(path, return_labels=True)
            assert labels.tolist() == [0, 0]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5 * path.stat().st_size
