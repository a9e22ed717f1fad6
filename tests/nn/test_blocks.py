"""A block of several networks: where they lie, the windows into them, and networks bound to it."""

import copy
import pickle

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.nn import BatchNorm, Block, Bound, Dense, Dropout, Layout, Network, Tape, Tied
from scratchgen.nn.layout import LINE, side_by_side

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def three(**changed):
    """Networks of 8, 9 and 3 numbers."""
    networks = {
        "a": Network((3,), Dense(3, 2)),
        "b": Network((2,), BatchNorm(2), Dense(2, 1), Dense(1, 1)),
        "c": Network((2,), Dense(2, 1)),
    }
    return networks | changed


def gaps(layout) -> np.ndarray:
    """Which numbers of the vector are no parameters, by the entries alone: (P,)."""
    is_gap = np.ones(layout.length, bool)
    for entry in layout.entries:
        if entry.trained:
            entry.view(is_gap)[...] = False
    return is_gap


@DTYPES
def test_every_network_begins_at_a_line_of_the_caches(dtype):
    block = Block(Layout(**three()), dtype, rng=0)
    starts = {name: at.start for name, at in block.layout.slices.items()}
    assert starts == {"a": 0, "b": 16, "c": 32}
    for name in starts:
        assert block.theta((name,)).ctypes.data % 64 == 0


def test_zeros_between_networks_are_counted_in_the_length_alone():
    layout = Layout(**three())
    assert layout.size == 8 + 9 + 3
    assert layout.length == 2 * LINE + 3  # none after the last
    is_gap = gaps(layout)
    assert np.flatnonzero(is_gap).tolist() == [*range(8, 16), *range(25, 32)]
    block = Block(layout, rng=0)
    assert not block.vector[is_gap].any()
    assert block.zeros_like().vector.size == layout.length
    assert block.zeros_like(("b", "c")).vector.size == LINE + 3


def test_networks_that_fill_their_lines_have_nothing_between_them():
    layout = Layout(a=Network((3,), Dense(3, 4)), b=Network((4,), Dense(4, 1)))  # 16 and 5
    assert layout.length == layout.size == 21


def test_a_network_without_parameters_takes_no_place():
    layout = Layout(a=Network((3,)), b=Network((3,), Dense(3, 1)), c=Network((1,)))
    assert layout.length == layout.size == 4
    assert layout.span(("a", "c")) == slice(0, 0)
    assert Block(layout, rng=0).theta(("a",)).size == 0


def test_the_slice_of_some_networks_is_one_object():
    block = Block(Layout(**three()), rng=0)
    assert block.theta(("a", "b")) is block.theta(["a", "b"])
    assert block.theta(("a",)) is block.theta(("a",))
    assert np.shares_memory(block.theta(("a", "b")), block.vector)
    assert block.theta(("a", "b")).size == LINE + 9


def test_the_slice_of_networks_with_another_between_them_is_refused():
    block = Block(Layout(**three()), rng=0)
    with pytest.raises(errors.OptionError, match=r"a and c do not lie.*because b lies"):
        block.theta(("a", "c"))


def test_views_of_some_networks_are_windows_into_their_span():
    block = Block(Layout(**three()), rng=0)
    gradient = block.zeros_like(("b", "c"))
    assert not hasattr(gradient.views, "a")
    gradient.views.c[0].b[:] = 7
    assert np.flatnonzero(gradient.vector).tolist() == [LINE + 2]
    whole = block.zeros_like()
    whole.views.c[0].b[:] = 7
    assert np.array_equal(whole.vector[LINE:], gradient.vector)


def test_a_layer_of_two_networks_lies_in_the_first():
    shared = Dense(2, 2)
    layout = Layout(a=Network((2,), shared), b=Network((2,), shared, Dense(2, 1)))
    assert [entry.name for entry in layout.entries] == ["a.0.w", "a.0.b", "b.1.w", "b.1.b"]
    block = Block(layout, rng=0)
    assert block.views.a[0] is block.views.b[0]


COPIES = {
    "copy": copy.deepcopy,
    "pickle": lambda block: pickle.loads(pickle.dumps(block)),
}


@DTYPES
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_has_windows_into_its_own_vector_and_state(copied, dtype):
    networks = three(c=Network((2,), inner := Dense(2, 1), Tied(inner)))
    block = Block(Layout(**networks), dtype, rng=0)
    window, kept = block.theta(("b",)), block.snapshot()
    other = copied(block)
    assert np.array_equal(other.vector, block.vector)
    assert other.vector.dtype == dtype
    for x, y in ((other.vector, block.vector), (other.state, block.state)):
        assert not np.shares_memory(x, y)
    assert not np.shares_memory(other.theta(("b",)), window)
    other.theta(("b",))[:] = 5
    other.views.b[0].mean[:] = 6
    other.views.c[0].w[:] = 7
    assert (other.vector[other.layout.slices["b"]] == 5).all()
    assert (other.state_of("b")[:2] == 6).all()
    assert (other.views.c[1].w == 7).all()  # what is tied looks there too
    for before, after in zip(kept, block.snapshot(), strict=True):
        assert np.array_equal(before, after)


# The order of networks.


@pytest.mark.parametrize(
    ("names", "groups", "order"),
    [
        ("abc", ["ab", "c"], "abc"),  # as given, where that does
        ("abc", ["ba"], "abc"),
        ("abc", [], "abc"),
        ("abc", [""], "abc"),
        ("abc", ["ac"], "acb"),
        ("abc", ["ab", "ac"], "bac"),
        ("abcd", ["ab", "bc", "cd"], "abcd"),
        ("abcd", ["ac", "bd", "cb"], "acbd"),
        ("abcd", ["abc", "cd", "ca"], "bacd"),
    ],
)
def test_an_order_is_found_in_which_each_group_lies_side_by_side(names, groups, order):
    assert "".join(side_by_side(names, groups)) == order


@pytest.mark.parametrize(
    ("names", "groups"),
    [("abc", ["ab", "bc", "ca"]), ("abcd", ["ab", "ac", "ad"])],
)
def test_where_no_order_does_it_the_groups_are_named_and_what_to_do(names, groups):
    words = r"no order of a, b, c.*\(a, b\) and .*let one player move the networks that several"
    with pytest.raises(errors.OptionError, match=words):
        side_by_side(names, groups)


# A network that is bound to a block, and the tape of its pass.


def bound(gradient=True):
    block = Block(Layout(a=Network((3,), Dense(3, 2)), b=Network((2,), Dense(2, 1))), "float64", 0)
    g = block.zeros_like()
    network = block.layout.networks["a"]
    return block, g, Bound(network, block.views.a, Tape().begin(), g.views.a if gradient else None)


def test_a_bound_network_goes_forward_and_back_as_its_layer_does():
    block, g, d = bound()
    rng = np.random.default_rng(0)
    x, dy, u = (rng.standard_normal(shape) for shape in ((4, 3), (4, 2), (4, 3)))
    p = block.views.a[0]
    np.testing.assert_allclose(d.forward(x), x @ p.w + p.b, rtol=1e-13)
    np.testing.assert_allclose(d.backward(dy), dy @ p.w.T, rtol=1e-13)
    np.testing.assert_allclose(g.views.a[0].w, x.T @ dy, rtol=1e-13)
    np.testing.assert_allclose(g.views.a[0].b, dy.sum(axis=0), rtol=1e-13)
    assert not g.views.b[0].w.any()
    np.testing.assert_allclose(d.tangent(u), u @ p.w, rtol=1e-13)
    found = d.tangent_backward(dy, dy)
    np.testing.assert_allclose(found.x, dy @ p.w.T, rtol=1e-13)
    np.testing.assert_allclose(found.u, dy @ p.w.T, rtol=1e-13)
    np.testing.assert_allclose(g.views.a[0].w, 2 * x.T @ dy + u.T @ dy, rtol=1e-13)


def test_a_bound_network_learns_nothing_where_it_is_not_to():
    for gradient, learn in ((True, False), (False, True)):
        block, g, d = bound(gradient)
        d.forward(np.ones((4, 3)))
        dx = d.backward(np.ones((4, 2)), learn=learn)
        np.testing.assert_allclose(dx, np.ones((4, 2)) @ block.views.a[0].w.T)
        assert not g.vector.any()
        assert d.backward(np.ones((4, 2)), need_dx=False, learn=learn) is None


def test_a_part_may_be_given_more_than_the_pass_and_its_own_parts_have_that_too():
    tape = Tape().begin(training=True, rng=3, labels=1)
    inner, other = tape.inner("fake", labels=2), tape.inner("real")
    assert (inner.labels, inner.inner(0).labels, other.labels, tape.labels) == (2, 2, 1, 1)
    assert (inner.rng, inner.training) == (3, True)
    tape.set_step(step=8)
    assert (inner.step, inner.inner(0).step, other.step) == (8, 8, 8)


def test_what_a_part_was_given_is_forgotten_with_the_pass():
    tape = Tape().begin(labels=1)
    inner = tape.inner("fake", labels=2)
    within = inner.inner(0)
    tape.begin(labels=5)
    assert (inner.labels, within.labels) == (5, 5)


def test_a_part_that_is_given_something_anew_forgets_its_notes_and_otherwise_keeps_them():
    tape = Tape().begin(labels=1)
    tape.inner("fake", labels=2).y = "note"
    assert tape.inner("fake") is tape.inner("fake", labels=3)
    with pytest.raises(errors.TapeError, match="'y'"):
        _ = tape.inner("fake").y
    tape.inner("fake").y = "note"
    assert tape.inner("fake").y == "note"
    assert tape.inner("fake").labels == 3
    assert tape.inner("fake", labels=None).labels is None


def test_a_layer_that_draws_draws_from_the_rng_that_its_part_was_given():
    network = Network((50,), Dropout(0.5))
    tape = Tape().begin(training=True, rng=np.random.default_rng(0))
    own = tape.inner("own", rng=np.random.default_rng(1))
    y = network.forward([None], np.ones((2, 50)), own)
    again = Tape().begin(training=True, rng=np.random.default_rng(1))
    assert np.array_equal(y, network.forward([None], np.ones((2, 50)), again))
