"""Labels are checked where they enter: one whole number, of a known class, for each example."""

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.ground.arguments import labels


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "uint64"])
def test_whole_numbers_of_any_size_become_int64(dtype):
    given = np.array([2, 0, 1], dtype)
    checked = labels(given, 3, 3)
    assert checked.dtype == np.int64
    assert checked.tolist() == [2, 0, 1]
    assert (checked is given) == (dtype == "int64")


def test_a_list_is_as_good_as_an_array():
    assert labels([2, 0, 1], 3, 3).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ([0.0, 1.0, 2.0], errors.KindError, r"float64: wants whole numbers; .*astype\(int\)"),
        ([True, False, True], errors.KindError, r"bool: wants whole numbers; .*astype\(int\)"),
        (["a", "b", "a"], errors.KindError, "return_inverse=True"),
        ([0, None, 1], errors.KindError, "wants whole numbers"),
        (None, errors.KindError, "wants whole numbers"),
        (np.ma.masked_array([0, 1, 2], [0, 1, 0]), errors.KindError, "masked"),
        ([[0], [1, 2], [0]], errors.ShapeError, "ragged"),
        ([0, 1], errors.ShapeError, r"shape \(2,\), wants \(3,\): give one whole number"),
        (1, errors.ShapeError, r"shape \(\), wants \(3,\)"),
        ([[0], [1], [2]], errors.ShapeError, r"labels.reshape\(-1\) has that shape"),
        (np.eye(3, 4, dtype=int), errors.ShapeError, r"labels.argmax\(axis=1\)"),
        ([0, 4, -1], errors.DataError, r"labels\[1\] is 4, wants whole numbers 0 ... 3: number"),
        ([0, 3, -1], errors.DataError, r"labels\[2\] is -1, wants whole numbers 0 ... 3"),
        (np.array([2**64 - 1, 0, 0], "uint64"), errors.DataError, r"labels\[0\] is 18446744"),
    ],
)
def test_other_labels_are_refused_with_what_to_do(value, kind, words):
    with pytest.raises(kind, match=words):
        labels(value, 3, 4)


def test_an_error_calls_the_labels_what_the_caller_calls_them():
    with pytest.raises(errors.DataError, match=r"digits\[0\] is 10"):
        labels([10], 1, 10, what="digits")
