"""A block holds the parameters of several networks in one vector; each network sees its part."""

import copy
import pickle

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.nn import BatchNorm, Block, Bound, Dense, Dropout, Layout, Network, Tape, Tied
from scratchgen.nn.layout import LINE, side_by_side

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def three_networks(**changed):
    """Networks with 8, 9 and 3 parameters."""
    networks = {
        "a": Network((3,), Dense(3, 2)),
        "b": Network((2,), BatchNorm(2), Dense(2, 1), Dense(1, 1)),
        "c": Network((2,), Dense(2, 1)),
    }
    return networks | changed


def gaps(layout) -> np.ndarray:
    """Whether each number of the vector belongs to no parameter, judged by the entries: (P,)."""
    is_gap = np.ones(layout.length, bool)
    for entry in layout.entries:
        if entry.trained:
            entry.view(is_gap)[...] = False
    return is_gap


@DTYPES
def test_every_network_begins_at_a_cache_line(dtype):
    block = Block(Layout(**three_networks()), dtype, rng=0)
    starts = {name: at.start for name, at in block.layout.slices.items()}
    assert starts == {"a": 0, "b": 16, "c": 32}
    for name in starts:
        assert block.theta((name,)).ctypes.data % 64 == 0


def test_zeros_between_networks_count_in_the_length_but_not_in_the_size():
    layout = Layout(**three_networks())
    assert layout.size == 8 + 9 + 3
    assert layout.length == 2 * LINE + 3  # none after the last
    is_gap = gaps(layout)
    assert np.flatnonzero(is_gap).tolist() == [*range(8, 16), *range(25, 32)]
    block = Block(layout, rng=0)
    assert not block.vector[is_gap].any()
    assert block.zeros_like().vector.size == layout.length
    assert block.zeros_like(("b", "c")).vector.size == LINE + 3


def test_networks_that_fill_their_cache_lines_have_no_zeros_between_them():
    layout = Layout(a=Network((3,), Dense(3, 4)), b=Network((4,), Dense(4, 1)))  # 16 and 5
    assert layout.length == layout.size == 21


def test_a_network_without_parameters_takes_no_space():
    layout = Layout(a=Network((3,)), b=Network((3,), Dense(3, 1)), c=Network((1,)))
    assert layout.length == layout.size == 4
    assert layout.span(("a", "c")) == slice(0, 0)
    assert Block(layout, rng=0).theta(("a",)).size == 0


def test_the_slice_of_the_same_networks_is_the_same_object():
    block = Block(Layout(**three_networks()), rng=0)
    assert block.theta(("a", "b")) is block.theta(["a", "b"])
    assert block.theta(("a",)) is block.theta(("a",))
    assert np.shares_memory(block.theta(("a", "b")), block.vector)
    assert block.theta(("a", "b")).size == LINE + 9


def test_a_slice_of_networks_that_are_not_neighbours_is_refused():
    block = Block(Layout(**three_networks()), rng=0)
    with pytest.raises(errors.OptionError, match=r"a and c do not lie.*because b lies"):
        block.theta(("a", "c"))


def test_the_gradient_of_some_networks_has_views_of_these_alone():
    block = Block(Layout(**three_networks()), rng=0)
    gradient = block.zeros_like(("b", "c"))
    assert not hasattr(gradient.views, "a")
    gradient.views.c[0].b[:] = 7
    assert np.flatnonzero(gradient.vector).tolist() == [LINE + 2]
    whole = block.zeros_like()
    whole.views.c[0].b[:] = 7
    assert np.array_equal(whole.vector[LINE:], gradient.vector)


def test_the_parameters_of_a_layer_in_two_networks_belong_to_the_first():
    shared = Dense(2, 2)
    layout = Layout(a=Network((2,), shared), b=Network((2,), shared, Dense(2, 1)))
    assert [entry.name for entry in layout.entries] == ["a.0.w", "a.0.b", "b.1.w", "b.1.b"]
    block = Block(layout, rng=0)
    assert block.views.a[0] is block.views.b[0]


WAYS_TO_COPY = {
    "copy": copy.deepcopy,
    "pickle": lambda block: pickle.loads(pickle.dumps(block)),
}


@DTYPES
@pytest.mark.parametrize("copy_of", WAYS_TO_COPY.values(), ids=WAYS_TO_COPY)
def test_the_views_of_a_copied_block_point_into_its_own_vector_and_state(copy_of, dtype):
    networks = three_networks(c=Network((2,), inner := Dense(2, 1), Tied(inner)))
    block = Block(Layout(**networks), dtype, rng=0)
    theta, snapshot = block.theta(("b",)), block.snapshot()
    other = copy_of(block)
    assert np.array_equal(other.vector, block.vector)
    assert other.vector.dtype == dtype
    for x, y in ((other.vector, block.vector), (other.state, block.state)):
        assert not np.shares_memory(x, y)
    assert not np.shares_memory(other.theta(("b",)), theta)
    other.theta(("b",))[:] = 5
    other.views.b[0].mean[:] = 6
    other.views.c[0].w[:] = 7
    assert (other.vector[other.layout.slices["b"]] == 5).all()
    assert (other.state_of("b")[:2] == 6).all()
    assert (other.views.c[1].w == 7).all()  # the tied layer sees the same numbers
    for before, after in zip(snapshot, block.snapshot(), strict=True):
        assert np.array_equal(before, after)


# The order of the networks in the vector.


@pytest.mark.parametrize(
    ("names", "groups", "order"),
    [
        ("abc", ["ab", "c"], "abc"),  # unchanged, because it fits
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
def test_networks_are_ordered_so_that_each_group_lies_side_by_side(names, groups, order):
    assert "".join(side_by_side(names, groups)) == order


@pytest.mark.parametrize(
    ("names", "groups"),
    [("abc", ["ab", "bc", "ca"]), ("abcd", ["ab", "ac", "ad"])],
)
def test_groups_that_no_order_can_satisfy_are_named_with_advice(names, groups):
    message = r"no order of a, b, c.*\(a, b\) and .*let one player move the networks that several"
    with pytest.raises(errors.OptionError, match=message):
        side_by_side(names, groups)


# A network that is bound to its parameters, and the tape of its pass.


def bound(gradient=True):
    block = Block(Layout(a=Network((3,), Dense(3, 2)), b=Network((2,), Dense(2, 1))), "float64", 0)
    g = block.zeros_like()
    network = block.layout.networks["a"]
    return block, g, Bound(network, block.views.a, Tape().begin(), g.views.a if gradient else None)


def test_a_bound_network_computes_what_its_layer_computes():
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
    second = d.tangent_backward(dy, dy)
    np.testing.assert_allclose(second.x, dy @ p.w.T, rtol=1e-13)
    np.testing.assert_allclose(second.u, dy @ p.w.T, rtol=1e-13)
    np.testing.assert_allclose(g.views.a[0].w, 2 * x.T @ dy + u.T @ dy, rtol=1e-13)


def test_a_bound_network_learns_nothing_without_a_gradient_or_without_learn():
    for gradient, learn in ((True, False), (False, True)):
        block, g, d = bound(gradient)
        d.forward(np.ones((4, 3)))
        dx = d.backward(np.ones((4, 2)), learn=learn)
        np.testing.assert_allclose(dx, np.ones((4, 2)) @ block.views.a[0].w.T)
        assert not g.vector.any()
        assert d.backward(np.ones((4, 2)), need_dx=False, learn=learn) is None


def test_an_inner_tape_may_have_values_of_its_own_and_passes_them_on():
    tape = Tape().begin(training=True, rng=3, labels=1)
    inner, other = tape.inner("fake", labels=2), tape.inner("real")
    assert (inner.labels, inner.inner(0).labels, other.labels, tape.labels) == (2, 2, 1, 1)
    assert (inner.rng, inner.training) == (3, True)
    tape.set_step(step=8)
    assert (inner.step, inner.inner(0).step, other.step) == (8, 8, 8)


def test_the_values_of_an_inner_tape_are_forgotten_when_the_next_pass_begins():
    tape = Tape().begin(labels=1)
    inner = tape.inner("fake", labels=2)
    within = inner.inner(0)
    tape.begin(labels=5)
    assert (inner.labels, within.labels) == (5, 5)


def test_an_inner_tape_forgets_its_notes_only_when_it_is_given_new_values():
    tape = Tape().begin(labels=1)
    tape.inner("fake", labels=2).y = "note"
    assert tape.inner("fake") is tape.inner("fake", labels=3)
    with pytest.raises(errors.TapeError, match="'y'"):
        _ = tape.inner("fake").y
    tape.inner("fake").y = "note"
    assert tape.inner("fake").y == "note"
    assert tape.inner("fake").labels == 3
    assert tape.inner("fake", labels=None).labels is None


def test_a_layer_draws_from_the_rng_of_its_inner_tape():
    network = Network((50,), Dropout(0.5))
    tape = Tape().begin(training=True, rng=np.random.default_rng(0))
    own = tape.inner("own", rng=np.random.default_rng(1))
    y = network.forward([None], np.ones((2, 50)), own)
    again = Tape().begin(training=True, rng=np.random.default_rng(1))
    assert np.array_equal(y, network.forward([None], np.ones((2, 50)), again))
