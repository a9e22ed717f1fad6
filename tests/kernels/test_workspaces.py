"""Arrays are in new memory or, within a step, in memory that the next step reuses."""

import itertools
import threading

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.ground.errors import KindError
from scratchgen.kernels import workspaces as memory
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.workspaces import LINE, Workspace, empty, outside

EITHER_WAY = pytest.mark.parametrize("way", [by_formulas, by_loops])
SHAPES = [(3,), (), (2, 5), (0,), (4, 0), (7,), (1, 1, 1)]


def address(x: np.ndarray) -> int:
    return x.ctypes.data


def addresses(workspace: Workspace, shapes, kind="training", dtype="float32") -> list[int]:
    """The addresses of arrays of those shapes in a step of that kind."""
    with workspace.step(kind):
        return [address(empty(shape, dtype)) for shape in shapes]


def overlap(arrays: list[np.ndarray]) -> bool:
    """Whether any two of them have a byte in common."""
    ends = sorted((address(x), address(x) + x.nbytes) for x in arrays if x.size)
    return any(end > start for (_, end), (start, _) in itertools.pairwise(ends))


def test_arrays_have_the_addresses_of_the_last_step_of_the_same_kind():
    workspace = Workspace()
    first = addresses(workspace, SHAPES)
    assert addresses(workspace, SHAPES) == first
    assert addresses(workspace, SHAPES[:3]) == first[:3]
    assert addresses(workspace, SHAPES) == first  # the step with fewer arrays has changed nothing


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "complex128"])
def test_arrays_have_the_given_shape_and_dtype(dtype):
    with Workspace().step():
        for shape in SHAPES:
            x = empty(shape, dtype)
            assert (x.shape, x.dtype, type(x)) == (shape, np.dtype(dtype), np.ndarray)
            assert x.flags.carray
            x[...] = 1


def test_arrays_are_in_the_byte_order_of_the_cpu():
    for step in (Workspace().step, outside):
        with step():
            assert empty((2,), ">f4").dtype == empty((2,), "<f4").dtype == np.dtype("=f4")


@pytest.mark.parametrize("dtype", ["bool", "float32", "float64"])
def test_each_array_begins_at_a_cache_line(dtype):
    with Workspace().step():
        for n in (1, 3, 16, 17, 1000, 100_000):
            assert address(empty((n,), dtype)) % LINE == 0


def test_no_memory_is_handed_out_twice_in_a_step():
    rng, workspace = np.random.default_rng(0), Workspace()
    for kind in (0, 1, 0, 2, 1):
        with workspace.step(kind):
            # small arrays, and some that need a chunk of their own
            sizes = rng.integers(0, 10 ** rng.integers(1, 7, 60))
            assert not overlap([empty((int(size),), "float32") for size in sizes])


def test_kinds_of_steps_share_memory_and_each_has_its_own_addresses():
    workspace = Workspace()
    large, small = addresses(workspace, SHAPES, "large"), addresses(workspace, SHAPES[1:], "small")
    assert small[0] == large[0]  # the same memory
    assert addresses(workspace, SHAPES, "large") == large
    assert addresses(workspace, SHAPES[1:], "small") == small
    total = sum(map(len, workspace._chunks))
    for kind in range(100):
        addresses(workspace, SHAPES, kind)
    assert sum(map(len, workspace._chunks)) == total


def test_a_step_with_another_array_in_the_middle_sets_the_addresses_of_the_next_step():
    workspace, usual, other = Workspace(), [(3,), (4,), (5,)], [(3,), (40,), (5,)]
    first = addresses(workspace, usual)
    with workspace.step("training"):
        arrays = [empty(shape, "float32") for shape in other]
        assert [x.shape for x in arrays] == other
        assert not overlap(arrays)
        assert address(arrays[0]) == first[0]
    assert addresses(workspace, other) == [address(x) for x in arrays]
    assert addresses(workspace, usual) == first
    assert len(set(addresses(workspace, usual[:1], dtype="float64") + first[1:])) == 3
    with workspace.step("training"):
        assert empty((3,), "int64").dtype == "int64"


def test_a_step_with_more_arrays_moves_none_of_the_others():
    workspace = Workspace()
    first = addresses(workspace, [(100,)] * 5)
    with workspace.step("training"):
        first_arrays = [empty((100,), "float32") for _ in range(5)]
        for i, x in enumerate(first_arrays):
            x[:] = i
        more = [empty((10**k,), "float64") for k in range(7)]  # some in new chunks
        for x in more:
            x[:] = -1
        assert [address(x) for x in first_arrays] == first
        assert [set(x.tolist()) for x in first_arrays] == [{0}, {1}, {2}, {3}, {4}]
        assert not overlap([*first_arrays, *more])
    longer = addresses(workspace, [(100,)] * 5 + [(10**k,) for k in range(7)])
    assert longer[:5] == first
    assert addresses(workspace, [(100,)] * 5) == first


def test_the_arrays_of_a_step_can_be_read_until_the_next_step():
    workspace = Workspace()
    with workspace.step():
        x = empty((3,), "float32")
        x[:] = 7
    assert x.tolist() == [7, 7, 7]
    assert workspace.holds(x)
    assert workspace.holds(x[1:].reshape(2, 1))
    assert not workspace.holds(x.copy())
    assert not workspace.holds(np.zeros(3))


def test_outside_of_a_step_arrays_are_new():
    workspace = Workspace()
    before = empty((3,), "float32")
    with workspace.step():
        within = empty((3,), "float32")
        with outside():
            new = empty((3,), "float32")
        after = empty((3,), "float32")
    assert [workspace.holds(x) for x in (before, within, new, after)] == [False, True, False, True]
    assert not overlap([within, after])
    assert not workspace.holds(empty((3,), "float32"))
    assert addresses(workspace, [(3,)] * 2, None) == [address(within), address(after)]


def test_a_step_of_one_workspace_can_be_entered_within_a_step_of_another():
    outer, other = Workspace(), Workspace()
    with outer.step():
        first = empty((3,), "float32")
        with other.step():
            inner = empty((3,), "float32")
        second = empty((3,), "float32")
    assert (outer.holds(first), other.holds(inner), outer.holds(second)) == (True, True, True)
    assert not overlap([first, inner, second])
    assert address(first) != address(second)


def test_a_workspace_serves_one_step_at_a_time_also_after_an_error():
    workspace = Workspace()
    with workspace.step("one"), pytest.raises(RuntimeError, match="is in use"):
        workspace.step("two").__enter__()
    before = addresses(workspace, [(3,)], "one")
    with pytest.raises(ZeroDivisionError), workspace.step("one"):
        kernels.full((1 // 0,), 0.0, "float32")
    assert not workspace.holds(empty((3,), "float32"))
    assert addresses(workspace, [(3,)], "one") == before


def test_another_thread_does_not_use_the_workspace():
    workspace, of_thread = Workspace(), []
    with workspace.step():
        thread = threading.Thread(target=lambda: of_thread.append(empty((3,), "float32")))
        thread.start()
        thread.join()
        within = empty((3,), "float32")
    assert not workspace.holds(of_thread[0])
    assert workspace.holds(within)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int64", "bool"])
def test_with_fills_no_number_of_the_last_step_can_be_read(dtype):
    workspace = Workspace(fills=True)
    for _ in range(2):
        with workspace.step():
            x = empty((50,), dtype)
            assert np.isnan(x).all() if x.dtype.kind in "fc" else (x == x[0]).all()
            assert x[0] not in (0, 2)
            x[:] = 0


# Results of kernels.


@EITHER_WAY
def test_draws_in_a_step_are_in_the_workspace_and_results_are_writable(way):
    workspace, x = Workspace(), np.ones((4, 3), np.float32)
    with way(), workspace.step():
        y = kernels.add(x, x)
        z = kernels.standard_normal(np.random.default_rng(0), (5,), "float32")
    assert (y == 2).all()
    assert workspace.holds(z)
    assert y.flags.writeable
    assert z.flags.writeable


@EITHER_WAY
def test_with_guards_the_results_of_kernels_are_read_only(way):
    x, w = np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)
    with way(), Workspace(guards=True).step():
        results = [
            kernels.add(x, x),
            kernels.times(x, w),
            kernels.affine(x, w, w[0]),
            kernels.times_transpose(x, w),
            kernels.sigmoid(x),
            kernels.sigmoid(x[0, 0]),
            kernels.mean(x[0]),
            kernels.scheduled(lambda: 3.0),
            kernels.full((2,), 1.0, "float32"),
            kernels.uniform(np.random.default_rng(0), (3,), "float64"),
            kernels.standard_normal(np.random.default_rng(0), (300,), "float32"),
        ]
    for y in results:
        assert not y.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            y[...] = 0
    with way():
        assert kernels.add(x, x).flags.writeable


@EITHER_WAY
@pytest.mark.parametrize("strided", [False, True])
def test_with_guards_kernels_still_write_into_their_results(way, strided):
    x = np.ones((4, 3), np.float32)
    with way(), Workspace(guards=True).step():
        y = kernels.add(x, x)
        y = y[:, ::2] if strided else y
        kernels.add_in_place(y, y)
        kernels.add_outer(x[:, :1], x[:, :2], into=kernels.add(x, x)[:1, :2])
        assert not y.flags.writeable
        assert (y == 4).all()
    with way(), pytest.raises(KindError, match="into is read-only"):
        kernels.add_in_place(y, y)  # the step is over


def of_bytes() -> np.ndarray:
    return np.frombuffer(bytes(16), np.float32)


def owned() -> np.ndarray:
    x = np.zeros(4, np.float32)
    x.flags.writeable = False
    return x


@EITHER_WAY
@pytest.mark.parametrize("guards", [False, True])
@pytest.mark.parametrize("make", [of_bytes, owned, lambda: owned()[:], lambda: of_bytes()[:4]])
def test_memory_that_is_itself_read_only_is_refused(make, guards, way):
    into, x = make(), np.ones(4, np.float32)
    with way(), Workspace(guards=guards).step():
        for f in (
            lambda: kernels.add_in_place(x, into),
            lambda: kernels.add_sum(x[None], into),
            lambda: kernels.approach(into, x, np.ones(1)),
        ):
            with pytest.raises(KindError, match=r"(into|x) is read-only, wants memory that can be"):
                f()
        with pytest.raises(KindError, match="into is read-only"):
            kernels.add_outer(x[:, None], x[:, None], into[:1, None])
    assert (into == 0).all()


@EITHER_WAY
@pytest.mark.parametrize("guards", [False, True])
def test_arrays_that_are_only_read_may_be_read_only(way, guards):
    with way(), Workspace(guards=guards).step():
        for x in (of_bytes(), owned(), owned()[::2], np.broadcast_to(np.float32(0), (4,))):
            assert kernels.add(x, x).tolist() == [0] * len(x)


def test_writing_through_a_read_only_view_changes_its_memory():
    """The writable view is another array; the read-only view stays read-only."""
    whole = np.zeros(4)
    view = memory.read_only(whole)
    memory.writable(view)[:] = 1
    assert whole.tolist() == [1] * 4
    assert not view.flags.writeable
    assert memory.writable(whole) is whole
    with pytest.raises(ValueError, match="WRITEABLE"):
        memory.writable(of_bytes())
