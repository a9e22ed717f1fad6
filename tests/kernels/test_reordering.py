"""A reordered recording gives the same results, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import kernels
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import Action, Call, Clear, recording
from scratchgen.kernels.reordering import in_order, span_of, writing_first
from scratchgen.kernels.workspaces import Workspace

EITHER_WAY = pytest.mark.parametrize("way", [by_formulas, by_loops])
needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)
SIZE = 12
NUMBERS = np.array([0.0, -0.0, 1.5, -3.0, 0.1, -0.0, 2.0, -1e-3, 7.0, -0.0, 0.3, 1.0])


def window(draw, x):
    """A view of x (SIZE,): a part of it, with gaps or backwards, as a matrix, or transposed."""
    start = draw(st.integers(0, SIZE - 1))
    stop = draw(st.integers(start + 1, SIZE))
    kind = draw(st.sampled_from(["plain", "plain", "gaps", "backwards", "matrix", "transposed"]))
    if kind in ("matrix", "transposed"):
        rows = draw(st.sampled_from([2, 3]))
        whole = x.reshape(rows, -1)[: draw(st.integers(1, rows))]
        return whole.T if kind == "transposed" else whole
    step = {"plain": 1, "gaps": 2, "backwards": -1}[kind]
    return x[start:stop][::step]


def mix(source, out, by):
    """An update whose result depends on the order of two such updates of shared memory."""
    out[...] = 2 * out + source.sum() + by


def mix_loop(_part, _parts, source, out, by):
    mix(source, out, by)


def draw_from(stream, out):
    stream[0] += 1
    out[...] = stream[0]


def add(x, into):
    into += x


def write(x, into):
    into[...] = x + 0


def add_loop(_part, _parts, x, into):
    into += x


def write_loop(_part, _parts, x, into):
    into[...] = x + 0


def run(events):
    """Run the events one after the other, as a plan does."""
    for event in events:
        if isinstance(event, Clear):
            event.array.fill(0)
        elif isinstance(event, Call):
            event.loop(0, 1, *event.args)
        else:
            event.f(*event.args)


def left_by(events, *arrays):
    """The bytes of the arrays after the events; the arrays themselves are restored."""
    before = [x.copy() for x in arrays]
    run(events)
    left = [x.tobytes() for x in arrays]
    for x, old in zip(arrays, before, strict=True):
        x[...] = old
    return left


@st.composite
def mixed(draw):
    """Events on views of one array, and the arrays that they change."""
    x, stream, events = NUMBERS.copy(), np.zeros(1), []
    for i in range(draw(st.integers(1, 12))):
        source, out = window(draw, x), window(draw, x)
        kind = draw(
            st.sampled_from(["call", "call", "action", "action", "draw", "clear", "fenced"])
        )
        if kind == "call":
            events.append(Call(mix_loop, (source, out, i), 1, written=(1,), changed=(1,)))
        elif kind == "draw":
            events.append(Action(draw_from, (stream, out), written=(out,), also=(stream,)))
        elif kind == "clear":
            events.append(Clear(out))
        else:
            fenced = kind == "fenced"
            arrays = ((), ()) if fenced else ((source, out), (out,))
            events.append(Action(mix, (source, out, i), *arrays, fenced=fenced))
    return events, x, stream


@given(mixed())
def test_no_action_moves_past_an_event_that_shares_its_memory(drawn):
    events, *arrays = drawn
    ahead, among, last = in_order(events)
    ordered = [*ahead, *among, *last]
    assert sorted(map(id, ordered)) == sorted(map(id, events))
    assert all(isinstance(event, Action) and not event.fenced for event in (*ahead, *last))
    assert left_by(ordered, *arrays) == left_by(events, *arrays)


@given(mixed())
def test_nothing_moves_past_a_fenced_action(drawn):
    events, *_ = drawn
    ordered = [id(event) for part in in_order(events) for event in part]
    for i, fence in enumerate(events):
        if isinstance(fence, Action) and fence.fenced:
            at = ordered.index(id(fence))
            assert set(ordered[:at]) == {id(event) for event in events[:i]}


def test_actions_run_ahead_of_kernels_or_after_them():
    x, y, z = np.zeros((3, 4))
    loop = Call(mix_loop, (x, y, 1), 1, written=(1,), changed=(1,))
    free, reads, writes = (
        Action(mix, (z, z, 1), (z,), (z,)),
        Action(mix, (y, z, 1), (y, z), (z,)),
        Action(draw_from, (np.zeros(1), x), (), (x,)),
    )
    assert in_order([loop, free]) == ([free], [loop], [])
    assert in_order([loop, reads]) == ([], [loop], [reads])
    assert in_order([loop, writes, loop]) == ([], [loop, writes, loop], [])
    assert in_order([writes, loop, reads]) == ([writes], [loop], [reads])


@st.composite
def gradients(draw):
    """Clears of an array, and events that add to views of it or read it."""
    g, x, events = NUMBERS[::-1].copy(), NUMBERS.copy(), []
    for i in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(["clear", "add", "add", "add", "add by Python", "mix", "read"]))
        into, source = window(draw, g), window(draw, draw(st.sampled_from([x, x, x, g])))
        if kind == "clear":
            events.append(Clear(draw(st.sampled_from([g, g[:5], g[::2], into]))))
        elif kind.startswith("add"):
            source = np.resize(source, into.shape) if source.size != into.size else source
            source = source.reshape(into.shape)
            args = (source, into)
            if kind == "add":
                form = (write_loop, args)
                events.append(Call(add_loop, args, 1, (1,), (1,), onto_zero=form))
            else:
                events.append(Action(add, args, args, (into,), onto_zero=(write, args)))
        elif kind == "mix":
            events.append(Call(mix_loop, (source, into, i), 1, written=(1,), changed=(1,)))
        else:
            events.append(Action(mix, (into, x, i), (into, x), (x,)))
    return events, g, x


@given(gradients())
def test_the_first_addition_to_a_cleared_array_may_be_written(drawn):
    events, *arrays = drawn
    assert left_by(writing_first(events), *arrays) == left_by(events, *arrays)


@given(gradients())
def test_a_written_first_addition_may_also_be_reordered(drawn):
    events, *arrays = drawn
    ordered = [event for part in in_order(writing_first(events)) for event in part]
    assert left_by(ordered, *arrays) == left_by(events, *arrays)


def added(x, into):
    return Call(add_loop, (x, into), 1, (1,), (1,), onto_zero=(write_loop, (x, into)))


def test_only_memory_without_a_first_addition_is_still_cleared():
    g, x = np.ones(SIZE), NUMBERS
    first, second = added(x[:6], g[:6]), added(x[8:], g[8:])
    clear, *others = writing_first([Clear(g), first, second, added(x[:6], g[:6])])
    assert span_of(clear.array) == span_of(g[6:8])
    assert [event.loop for event in others] == [write_loop, write_loop, add_loop]
    matrix = g.reshape(3, 4)
    (other,) = writing_first([Clear(g), added(x.reshape(4, 3), matrix.T)])
    assert other.loop is write_loop


@pytest.mark.parametrize(
    "between",
    [
        lambda g, x: Action(mix, (g[3:4], x, 0), (g[3:4], x), (x,)),
        lambda g, x: Action(draw_from, (np.zeros(1), g[:1]), (), (g[:1],)),
        lambda g, x: Action(mix, (g[3:4], x, 0), (g[3:4], x), (x,), fenced=True),
        lambda g, x: Call(mix_loop, (x[:1], g[5:6], 0), 1, (1,), (1,)),
    ],
    ids=["read", "written", "read by a fenced action", "changed"],
)
def test_memory_that_is_used_before_the_first_addition_is_added_to(between):
    g, x = np.ones(SIZE), NUMBERS.copy()
    events = [Clear(g), between(g, x), added(x[:6], g[:6])]
    clear, *others = writing_first(events)
    assert clear.array.size == g.size
    assert others == events[1:]


def test_an_array_that_is_cleared_twice_is_written_after_the_second_clear():
    g, x = np.ones(SIZE), NUMBERS
    clear, other = writing_first([Clear(g), Clear(g), added(x, g)])
    assert isinstance(clear, Clear)
    assert other.loop is write_loop


def test_views_with_gaps_and_events_that_read_their_target_add_to_it():
    g, x = np.ones(SIZE), NUMBERS
    for event in (added(x[:6], g[::2]), added(g[1:7], g[:6])):
        clear, same = writing_first([Clear(g), event])
        assert clear.array.size == g.size
        assert same is event


@pytest.mark.parametrize("way", [by_formulas, pytest.param(by_loops, marks=needs_numba)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("n", [1, 3, 200])
def test_gradients_of_a_plan_equal_those_of_a_step_including_the_signs_of_zeros(n, transposed, way):
    rng, g = np.random.default_rng(0), np.full(4 * 5 + 5, 7, np.float32)
    w, b = (g[:20].reshape(5, 4).T if transposed else g[:20].reshape(4, 5)), g[20:]
    x, dy = rng.standard_normal((n, 4), np.float32), rng.standard_normal((n, 5), np.float32)
    x[:, 0], dy[:, 1] = -0.0, 0.0
    dy[:, 2] = -0.0
    with way(), Workspace().step(), recording() as notes:
        kernels.clear(g)
        kernels.add_outer(x, dy, into=w)
        kernels.add_sum(dy, into=b)
    expected = g.tobytes()
    g[...] = np.nan
    plan = Plan(notes, threads=1)
    with way():
        plan.run()
    assert g.tobytes() == expected
