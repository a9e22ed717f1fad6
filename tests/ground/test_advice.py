"""Advice in errors is followed here, and leads to the right array."""

import array

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.distributions import Categorical
from scratchgen.ground import arguments as checks
from scratchgen.ground import errors
from scratchgen.nn import Dense, Flatten, Network, Reshape

rng = np.random.default_rng(0)
GREY = rng.random((5, 4, 6, 1))  # (N, H, W, 1)
COLOURED = rng.random((5, 4, 6, 3))  # (N, H, W, 3)
ROWS = rng.random((5, 7))  # (N, D)


def follow(expression: str, **names: object) -> np.ndarray:
    return np.asarray(eval(expression, {"np": np, "sg": sg, **names}))


# what came, the shape that is wanted, the advice, and what it leads to
SHAPES = [
    (np.moveaxis(COLOURED, -1, 1), (4, 6, 3), "np.moveaxis(x, 1, -1)", COLOURED),
    (np.moveaxis(GREY, -1, 1), (4, 6, 1), "np.moveaxis(x, 1, -1)", GREY),
    (np.moveaxis(COLOURED, 0, -1), (4, 6, 3), "np.moveaxis(x, -1, 0)", COLOURED),
    (np.moveaxis(GREY, 0, -1)[:, :, 0], (4, 6, 1), "np.moveaxis(x, -1, 0)[..., None]", GREY),
    (GREY[..., 0], (4, 6, 1), "x[..., None]", GREY),
    (GREY.reshape(5, -1), (4, 6, 1), "x.reshape(-1, 4, 6, 1)", GREY),
    (GREY.reshape(5, -1).T, (4, 6, 1), "x.T.reshape(-1, 4, 6, 1)", GREY),
    (COLOURED.reshape(5, -1), (4, 6, 3), "x.reshape(-1, 4, 6, 3)", COLOURED),
    (
        np.moveaxis(COLOURED, -1, 1).reshape(5, -1),
        (4, 6, 3),
        "np.moveaxis(x.reshape(-1, 3, 4, 6), 1, -1)",
        COLOURED,
    ),
    (COLOURED[0], (4, 6, 3), "x[None]", COLOURED[:1]),
    (np.moveaxis(COLOURED[0], -1, 0), (4, 6, 3), "np.moveaxis(x, 0, -1)[None]", COLOURED[:1]),
    (GREY[0, ..., 0], (4, 6, 1), "x[None, ..., None]", GREY[:1]),
    (GREY[0].reshape(-1), (4, 6, 1), "x.reshape(-1, 4, 6, 1)", GREY[:1]),
    (COLOURED[None], (4, 6, 3), "x.reshape(-1, 4, 6, 3)", COLOURED),
    (GREY, (4, 6, 3), "np.repeat(x, 3, axis=-1)", np.concatenate([GREY] * 3, -1)),
    (
        GREY[..., 0],
        (4, 6, 3),
        "np.repeat(x[..., None], 3, axis=-1)",
        np.concatenate([GREY] * 3, -1),
    ),
    (COLOURED, (4, 6, 1), "x.mean(axis=-1, keepdims=True)", COLOURED.mean(-1)[..., None]),
    (np.concatenate([COLOURED, GREY], -1), (4, 6, 3), "x[..., :3]", COLOURED),
    (GREY, (4, 6), "x[..., 0]", GREY[..., 0]),
    (GREY.reshape(5, -1), (4, 6), "x.reshape(-1, 4, 6)", GREY[..., 0]),
    (GREY, (24,), "x.reshape(len(x), -1)", GREY.reshape(5, 24)),
    (ROWS.T, (7,), "np.moveaxis(x, -1, 0)", ROWS),
    (ROWS[0], (7,), "x[None]", ROWS[:1]),
    (ROWS[:, 0], (1,), "x.reshape(-1, 1)", ROWS[:, :1]),
    (ROWS.tolist(), (1, 7), "x.reshape(-1, 1, 7)", ROWS[:, None]),
]


@pytest.mark.parametrize(("x", "shape", "advice", "right"), SHAPES, ids=range(len(SHAPES)))
def test_advice_on_a_shape_gives_the_examples_that_were_meant(x, shape, advice, right):
    with pytest.raises(errors.ShapeError) as caught:
        checks.examples(x, shape, np.float64)
    text = str(caught.value)
    assert advice in text
    if "x = np.asarray(x) first" in text:
        x = np.asarray(x)
    assert np.array_equal(checks.examples(follow(advice, x=x), shape, np.float64), right)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((5, 6, 4, 3), (4, 6, 3)),  # another height and width, or turned: nobody knows
        ((5, 2, 12, 3), (4, 6, 3)),
        ((5, 4, 3, 6), (4, 6, 3)),
        ((5, 12, 2), (4, 6, 1)),
        ((5, 3, 4, 6), (4, 6, 1)),
        ((5, 28, 28, 3), (3,)),  # three colours are no three features
        ((5, 8), (7,)),
    ],
)
def test_where_axes_would_be_mixed_up_no_array_is_advised(shape, wanted):
    with pytest.raises(errors.ShapeError) as caught:
        checks.examples(np.zeros(shape), wanted, np.float32)
    assert str(caught.value).endswith(
        f"build the model for {shape[1:]}, or give it data of its own shape"
    )


BYTES = np.array([[0, 3], [200, 255]])
# what came, the range that is wanted, the advice, and what it leads to
RANGES = [
    (BYTES, (0, 1), "x / 255", BYTES / 255),
    (BYTES.astype(np.uint8), (0, 1), "x / 255", BYTES / 255),
    (BYTES[:, :1], (0, 1), "x / 255", BYTES[:, :1] / 255),
    (np.array([[0, 16.0]]), (0, 1), "x / 16", [[0, 1]]),
    (np.array([[0, 9]]), (0, 1), "x / 9", [[0, 1]]),
    (np.array([[25, 100.0]]), (0, 1), "x / 100", [[0.25, 1]]),
    (np.array([[0.0, 37.5]]), (0, 1), "x / 37.5", [[0, 1]]),
    (np.array([[13107, 65535]], np.uint16), (0, 1), "x / 65535", [[0.2, 1]]),
    (np.array([[-1, 0, 1.0]]), (0, 1), "(x + 1) / 2", [[0, 0.5, 1]]),
    (np.array([[0, 1.0000001]], np.float32), (0, 1), "np.clip(x, 0, 1)", [[0, 1]]),
    (np.array([[-1e-9, 1.0]]), (0, 1), "np.clip(x, 0, 1)", [[0, 1]]),
    (np.array([[-128, 127]], np.int8), (0, 1), "np.interp(x, (-128, 127), (0, 1))", [[0, 1]]),
    (np.array([[-3.5, 1, 5.5]]), (0, 1), "np.interp(x, (-3.5, 5.5), (0, 1))", [[0, 0.5, 1]]),
    (BYTES.astype(np.uint8), (-1, 1), "2 * (x / 255) - 1", BYTES / 127.5 - 1),
    (np.array([[-1.00001, 1]]), (-1, 1), "np.clip(x, -1, 1)", [[-1, 1]]),
    (np.array([[-4.0, 4]]), (-1, 1), "np.interp(x, (-4, 4), (-1, 1))", [[-1, 1]]),
]


@pytest.mark.parametrize(("x", "ends", "advice", "right"), RANGES, ids=range(len(RANGES)))
def test_advice_on_a_range_gives_the_numbers_that_were_meant(x, ends, advice, right):
    with pytest.raises(errors.DataError) as caught:
        checks.within(x, *ends, "there is a reason")
    assert str(caught.value).endswith(advice)
    followed = follow(advice, x=x)
    np.testing.assert_allclose(followed, right, atol=1e-6)
    checks.within(followed, *ends, "there is a reason")


def test_a_range_is_told_in_the_digits_that_make_the_difference():
    with pytest.raises(
        errors.DataError, match=r"goes from 0 to 1.0000001, wants values in \[0, 1\]"
    ):
        checks.within(np.array([0, 1.0000001], np.float32), 0, 1, "there is a reason")
    with pytest.raises(errors.DataError, match="goes from -1e-09 to 1, wants"):
        checks.within(np.array([-1e-9, 1]), 0, 1, "there is a reason")


CLASSES = [
    (np.array([[1.0, 10.0]]), "x - 1", [[0, 9]]),
    (np.array([[0.0, 0.5, 1.0]]), "np.round(9 * x)", [[0, 4, 9]]),
    (np.array([[0.0, 3 / 255, 9 / 255]], np.float32), "np.round(255 * x)", [[0, 3, 9]]),
]


@pytest.mark.parametrize(("x", "advice", "right"), CLASSES)
def test_advice_on_classes_gives_the_classes_that_were_meant(x, advice, right):
    with pytest.raises(errors.DataError) as caught:
        Categorical(classes=10).check(x)
    assert str(caught.value).endswith(advice)
    assert np.array_equal(follow(advice, x=x), right)


def test_too_few_classes_are_told_how_many_there_seem_to_be():
    x = np.array([[0.0, 12.0]])
    with pytest.raises(errors.DataError, match="classes=13"):
        Categorical(classes=10).check(x)
    Categorical(classes=13).check(x)
    with pytest.raises(errors.DataError, match="Gaussian likelihoods"):
        Categorical(classes=10).check(x + 0.5)


@pytest.mark.parametrize(
    ("value", "advice", "right"),
    [
        (np.array([0.0, 2.0, 1.0]), "labels.astype(int)", [0, 2, 1]),
        (np.eye(3), "labels.argmax(axis=1)", [0, 1, 2]),
        (np.eye(3, dtype=int), "labels.argmax(axis=1)", [0, 1, 2]),
        ([[0], [1], [2]], "labels.reshape(-1)", [0, 1, 2]),
        (["b", "a", "b"], "np.unique(labels, return_inverse=True)[1]", [1, 0, 1]),
        (["2", "0", "1"], "labels.astype(int)", [2, 0, 1]),
        ([1, 2, 3], "labels - 1", [0, 1, 2]),
    ],
    ids=str,
)
def test_advice_on_labels_gives_the_classes_that_were_meant(value, advice, right):
    with pytest.raises(errors.ScratchgenError) as caught:
        checks.labels(value, 3, 3)
    text = str(caught.value)
    assert advice in text
    if "labels = np.asarray(labels) first" in text:
        value = np.asarray(value)
    assert checks.labels(follow(advice, labels=value), 3, 3).tolist() == right


@pytest.mark.parametrize(
    "value",
    [
        [0.5, 1.5, 2.0],
        ["0.5", "1.5", "2"],
        np.array([0.5, 1, 2], object),
        np.full((3, 3), 0.5),
        np.array([1j, 0, 1]),
        np.array(["2020-01-01"] * 3, "M8[D]"),
        [-1, 0, 1],
        [0, None, "a"],
        [5, 6, 7],
    ],
    ids=str,
)
def test_labels_that_no_conversion_makes_right_get_none(value):
    with pytest.raises(errors.ScratchgenError) as caught:
        checks.labels(value, 3, 3)
    assert not any(word in str(caught.value) for word in ("astype", "argmax", "unique", " - "))


# things that hold data, as other libraries have them


class Sparse:
    def toarray(self):
        return ROWS


class Frame:
    """A pandas frame with a column of names: np.asarray gives objects."""

    shape = (5, 8)

    def __array__(self, dtype=None, copy=None):
        return np.concatenate([ROWS.astype(object), [["a"]] * 5], axis=1)

    def select_dtypes(self, include):
        return Selected() if include == ["number", "bool"] else self


class Selected:
    shape = (5, 7)

    def to_numpy(self):
        return ROWS


class Tensor:
    """A torch tensor that is trained, or on another device."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self):
        return self

    cpu = detach

    def numpy(self):
        return self.values


class Loader:
    """A torch DataLoader of pairs."""

    dataset, batch_size = object(), 2

    def __iter__(self):
        return iter([(ROWS[:2], [0, 0]), (ROWS[2:], [0, 0, 0])])


class Pairs:
    """A torch Dataset of pairs."""

    def __len__(self):
        return 5

    def __getitem__(self, i):
        if i >= 5:
            raise IndexError(i)
        return ROWS[i], 0


class Stream:
    """A tensorflow data set."""

    def as_numpy_iterator(self):
        return iter(ROWS)


class Picture:
    """A PIL picture of some size."""

    mode = "RGB"

    def __init__(self, side):
        self.side = side

    def __array__(self, dtype=None, copy=None):
        return np.zeros((self.side, self.side))

    def convert(self, mode):
        return self

    def resize(self, size):
        return Picture(size[0])


def test_pictures_of_several_sizes_are_brought_to_one():
    x = [Picture(20), Picture(30)]
    with pytest.raises(errors.ShapeError, match="ragged list") as caught:
        checks.examples(x, (28, 28), np.float32)
    expression = str(caught.value).partition("as in ")[2]
    assert follow(expression, x=x).shape == (2, 28, 28)


def test_what_numpy_reads_by_itself_is_read():
    for x in (array.array("d", [1, 2]), memoryview(np.array([1.0, 2.0])), range(1, 3), (1, 2)):
        assert checks.real_numbers(x, "x").tolist() == [1, 2]


COLLECTED = "np.stack([np.asarray(a) for a in x])"
THINGS = [
    (Sparse(), "x.toarray()"),
    (Frame(), "x.select_dtypes(['number', 'bool']).to_numpy()"),
    (Tensor(ROWS), "x.detach().cpu().numpy()"),
    (Loader(), "np.concatenate([np.asarray(a) for a, *_ in x])"),
    (Pairs(), "np.stack([np.asarray(a) for a, *_ in x])"),
    (Stream(), "np.stack([np.asarray(a) for a in x.as_numpy_iterator()])"),
    (iter(ROWS), COLLECTED),
    ((row for row in ROWS), COLLECTED),
    (map(np.negative, -ROWS), COLLECTED),
    ({"x": ROWS}, "its key ('x')"),
    (ROWS.astype(object), None),
    (ROWS.astype(str), "x.astype('float32')"),
    ((ROWS, np.zeros(5)), "x[0]"),
]


@pytest.mark.parametrize(("x", "advice"), THINGS, ids=[type(x).__name__ for x, _ in THINGS])
def test_what_holds_data_and_is_no_array_gets_advice_that_makes_it_one(x, advice):
    with pytest.raises((errors.KindError, errors.ShapeError)) as caught:
        checks.examples(x, (7,), np.float64)
    advice = "x.astype('float32')" if advice is None else advice
    assert advice in str(caught.value)
    expression = "x['x']" if "key" in advice else advice
    made = checks.examples(follow(expression, x=x), (7,), np.float64)
    np.testing.assert_allclose(made, ROWS, rtol=1e-6)


def test_a_name_or_a_path_is_told_to_be_loaded_first(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    for x in (str(tmp_path / "rows.npy"), tmp_path / "rows.npy"):
        with pytest.raises(errors.KindError, match=r"sg.data.load\(x\)"):
            checks.examples(x, (7,), np.float32)
        assert follow("sg.data.load(x)", x=x).shape == (5, 7)


@pytest.mark.parametrize("x", [None, set(), {}, object(), np.array("a"), np.array(["a"] * 3)])
def test_what_nothing_is_known_of_gets_no_expression(x):
    with pytest.raises(errors.KindError, match="real numbers") as caught:
        checks.examples(x, (7,), np.float32)
    assert "astype" not in str(caught.value)
    assert "np." not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "advice"),
    [
        (np.array([[1 + 2j]]), ["x.real", "x.imag", "np.abs(x)"]),
        (np.array([["2020-01-03"], ["2020-01-01"]], "M8[D]"), ["(x - x.min()) / np.timedelta64"]),
        (np.array([[5]], "m8[D]"), ["x / np.timedelta64(1, 'D')"]),
    ],
)
def test_numbers_of_another_kind_get_what_makes_them_real(x, advice):
    with pytest.raises(errors.KindError) as caught:
        checks.examples(x, (1,), np.float32)
    for expression in advice:
        assert expression in str(caught.value)
    expression = str(caught.value).split(": ")[-1] if len(advice) == 1 else advice[0]
    assert checks.examples(follow(expression, x=x), (1,), np.float32).shape == x.shape


def test_numbers_out_of_range_of_the_dtype_fit_when_they_are_scaled():
    x = np.array([[1e300, -2e300]])
    with pytest.raises(errors.DataError, match=r"x / np.abs\(x\).max\(\)"):
        checks.examples(x, (2,), np.float32)
    assert follow("x / np.abs(x).max()", x=x).tolist() == [[0.5, -1]]


def test_gaps_are_dropped_where_examples_are_left():
    x = np.array([[1, np.nan], [3, 4.0]])
    with pytest.raises(errors.DataError) as caught:
        checks.examples(x, (2,), np.float32)
    advice = "x[np.isfinite(x).reshape(len(x), -1).all(1)]"
    assert advice in str(caught.value)
    assert follow(advice, x=x).tolist() == [[3, 4]]
    with pytest.raises(errors.DataError, match="every example has some"):
        checks.examples(x[:1], (2,), np.float32)


def test_the_data_of_a_file_are_called_x_in_advice():
    with pytest.raises(errors.ShapeError, match=r"my data.npy has shape .*: add .* x\[..., None\]"):
        checks.examples(GREY[..., 0], (4, 6, 1), np.float32, "my data.npy")


def test_a_network_advises_reshape_only_between_rows_and_pictures():
    network = Network((4, 6, 3), Flatten(), Dense(72, 2))
    with pytest.raises(errors.ShapeError, match=r"the shape of your data\.$"):
        network.out_shape((3, 4, 6))
    with pytest.raises(errors.ShapeError, match=r"or put Reshape\(\(4, 6, 3\)\) before it"):
        network.out_shape((72,))
    assert Network((72,), Reshape((4, 6, 3)), network).out_shape((72,)) == (2,)


def test_a_network_of_the_right_size_and_another_shape_is_told_how_to_end():
    encoder = Network((4, 6, 1), Flatten(), Dense(24, 4))
    flat = Network((2,), Dense(2, 24))
    with pytest.raises(errors.ShapeError, match=r"put Reshape\(\(4, 6, 1\)\) at its end"):
        sg.models.VAE(encoder, flat)
    shaped = Network((2,), Dense(2, 24), Reshape((4, 6, 1)))
    assert sg.models.VAE(encoder, shaped, rng=0).shape == (4, 6, 1)


def test_an_optimizer_advises_a_view_only_where_reshape_makes_one():
    adam, theta = sg.optim.Adam(1.0), np.zeros((2, 3), np.float32)
    with pytest.raises(errors.ShapeError, match=r"keep one view flat = theta.reshape\(-1\)"):
        adam.memory(theta)
    assert np.shares_memory(theta.reshape(-1), theta)
    with pytest.raises(errors.ShapeError, match=r"make theta = np.ascontiguousarray\(theta\)"):
        adam.memory(theta.T)


def test_classes_that_diverge_are_not_told_to_be_standardised():
    x = np.arange(20.0)[:, None] % 20
    model = sg.models.vae((1,), latent=1, hidden=(4,), likelihood=Categorical(20), rng=0)
    with pytest.raises(errors.DivergedError, match="try a lower learning rate"):
        sg.fit(model, x, epochs=30, seed=0, optimizer=sg.optim.SGD(1e30))
