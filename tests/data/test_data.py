"""Built-in data, and data from disk in good and bad shape."""

import gzip
import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import declaring, npy

import scratchgen as sg
from scratchgen import errors
from scratchgen.data import GRID, RING

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


def idx(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


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


def test_mnist_is_looked_for_where_the_environment_says(folder, monkeypatch):
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


def test_without_mnist_one_is_told_what_to_put_where(monkeypatch, tmp_path):
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


def test_the_digits_of_vectors_are_kept_where_that_is_asked_for(tmp_path):
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


def test_an_npz_of_several_arrays_and_a_model_are_told_apart_from_data(tmp_path, small_gan):
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


# batches


def test_batches_cover_everything_once_and_keep_the_rest():
    x = np.arange(10)[:, None]
    sizes = [len(batch) for batch in sg.data.batches(x, 4, rng=0)]
    assert sizes == [4, 4, 2]
    seen = np.concatenate(list(sg.data.batches(x, 4, rng=0)))[:, 0]
    assert sorted(seen) == list(range(10))


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
