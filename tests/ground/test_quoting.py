"""Settings from strangers cost no more than their size, and errors that quote them are readable."""

import pickle
import tracemalloc

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.ground.arguments import float_type, one_of
from scratchgen.ground.errors import FileError, KindError, MissingExtraError, ScratchgenError, cut

LONG = 10**6


def known_model(name: str) -> str:
    return one_of(name, ["vae", "gan"], "model")


@pytest.mark.parametrize("check", [float_type, known_model])
@pytest.mark.parametrize("name", ["f4," * LONG, "x" * LONG], ids=["fields", "letters"])
def test_a_name_of_a_million_letters_costs_a_few_times_its_size(check, name):
    tracemalloc.start()
    with pytest.raises(errors.OptionError, match="wants one of") as caught:
        check(name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(name)
    assert len(str(caught.value)) < 300


def test_a_dtype_is_known_by_any_of_its_short_names():
    for name in ("float32", "f4", "<f4", np.float32, np.dtype("float32")):
        assert float_type(name) == np.float32
    for name in ("float16", "f4,f4", "no", 7, "(2,)f4"):
        with pytest.raises(errors.OptionError, match="wants one of 'float32', 'float64'"):
            float_type(name)


@pytest.mark.parametrize("kind", [ScratchgenError, FileError, KindError, MissingExtraError])
def test_the_text_of_an_error_is_short_printable_and_keeps_its_end(kind):
    error = kind("x" * LONG + "\x1b[2J\u202e: and then do this")
    assert len(str(error)) <= 600
    assert str(error).replace("\n", "").isprintable()
    assert str(error).endswith(r"\x1b[2J\u202e: and then do this")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind("two\nlines, and Ünïcödé")) == "two\nlines, and Ünïcödé"


def test_what_is_cut_is_never_longer_than_asked_for():
    for text in ("", "a", "\x00" * 50, "\udc80" * 50, "b" * 79, "b" * 80, "b" * 81, 10**60):
        assert len(cut(text)) <= 80
        assert cut(cut(text)) == cut(text)
