"""Whenever Python calls a kernel, its operands are compared with the declaration."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchgen as sg
from scratchgen import distributions, kernels, losses, nn, optim
from scratchgen.ground.errors import DataError, KindError, ShapeError, TapeError
from scratchgen.kernels.cases import case
from scratchgen.kernels.cases import kernels as all_kernels
from scratchgen.kernels.declarations import parsed
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.operands import Operands

KERNELS = all_kernels()
EITHER_WAY = pytest.mark.parametrize("way", [by_loops, by_formulas])


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, "float32")


def test_no_kernel_accepts_a_wrong_operand_and_none_ends_the_process():
    script = Path(__file__).with_name("wrong_operands.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr}"
    report = json.loads(done.stdout)
    assert report["accepted"] == []
    assert report["calls"] > 4000


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_the_cases_of_a_kernel_match_its_declaration(name):
    for dtype in ("float32", "float64"):
        for rows, columns in ((1, 1), (3, 6), (70, 2)):
            for seed in range(3):
                assert KERNELS[name].operands.check(*case(name, rows, columns, dtype, seed))


def test_a_declaration_must_name_the_arguments():
    with pytest.raises(ValueError, match=r"takes .'x', 'out'., and declares"):
        Operands("double", "x (N,) -> y (N,)", ["x", "out"]).check(zeros(1), zeros(1))
    with pytest.raises(ValueError, match=r"takes .'x'., and declares"):
        Operands("add", "x (N,) -> y (N,) in place", ["x"]).check(zeros(1))
    with pytest.raises(ValueError, match="cannot read"):
        parsed("x (N,) and y (N,) -> out (N,)")
    with pytest.raises(ValueError, match=r"cannot read 'rate' .* rate \(\) for a number"):
        parsed("x (N,), rate -> out (N,)")
    with pytest.raises(ValueError, match="y is changed and stands before the ->"):
        parsed("x (N,), y (N,) in place -> out (N,)")


# The letters of a declaration.


@pytest.mark.parametrize(
    ("declaration", "shapes"),
    [
        ("x (N, D), y (D, N)", [(2, 3), (3, 2)]),
        ("x (N, 2 Z), z (N, Z)", [(2, 6), (2, 3)]),
        ("x (N, D + 1), y (N, D)", [(2, 4), (2, 3)]),
        ("x (N, D), y (N, K D), z (K,)", [(2, 3), (2, 12), (4,)]),
        ("x (N, D), y (N, K D), z (N, K D)", [(2, 3), (2, 12), (2, 12)]),
        ("x (N,), blocks (N by 64,)", [(129,), (3,)]),
        ("x (N,), blocks (N by 64,)", [(128,), (2,)]),
        ("x (N,), rows (1+, N)", [(3,), (5, 3)]),
        ("x, y, z (...)", [(2, 3, 4), (2, 3, 4), (2, 3, 4)]),
        ("x, y (...)", [(), ()]),
        ("x (N, M), y (N, 3)", [(0, 0), (0, 3)]),
    ],
)
@pytest.mark.parametrize("behind", ["", " -> made (1,)", None])
def test_only_sizes_that_match_a_declaration_are_taken(declaration, shapes, behind):
    if behind is None:  # make the last operand one that is changed in place
        *first, last = declaration.split("), ")
        declaration, behind = ")".join([", ".join(f"{operand})" for operand in first), ""]), ""
        declaration = f"{declaration[:-1]} -> {last} in place" if first else f"-> {last} in place"
    operands = Operands("kernel", declaration + behind)
    assert operands.check(*(zeros(*shape) for shape in shapes))
    for i, shape in enumerate(shapes):
        free = declaration.startswith("x (N,)") and "by" in declaration and i == 0
        free |= "(N, M)" in declaration and i == 0  # a size that may change: of a block, or M
        if free:
            continue
        for axis in range(len(shape)):
            other = [*shapes]
            other[i] = (*shape[:axis], shape[axis] + 7, *shape[axis + 1 :])
            if "1+" in declaration and (i, axis) == (1, 0):
                continue
            with pytest.raises(ShapeError):
                operands.check(*(zeros(*shape) for shape in other))


@pytest.mark.parametrize(
    ("declaration", "shapes", "expected"),
    [
        ("x (N, D) -> y (D, N), z (N,)", [(2, 3)], [(3, 2), (2,)]),
        ("x (N, 2 Z) -> z (N, Z)", [(2, 6)], [(2, 3)]),
        ("x (N, D) -> y (N, D + 1), z (N, 4)", [(2, 3)], [(2, 4), (2, 4)]),
        ("x (N, D), y (N, K D) -> z (K,), u (N, K D)", [(2, 3), (2, 12)], [(4,), (2, 12)]),
        ("x (N,) -> blocks (N by 64,)", [(129,)], [(3,)]),
        ("x (N,) -> blocks (N by 64,)", [(128,)], [(2,)]),
        ("x (N,) -> blocks (N by 64,)", [(0,)], [(0,)]),
        ("x, y (...) -> z (...)", [(2, 3, 4), (2, 3, 4)], [(2, 3, 4)]),
        ("x (...) -> y (...)", [()], [()]),
        ("x (N, D) -> y (N,), _terms (1+, 2 D)", [(2, 3)], [(2,)]),
        ("x (N, D) -> y (N, D) in place", [(2, 3), (2, 3)], []),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_have_the_sizes_that_follow_from_the_operands(declaration, shapes, expected, dtype):
    operands = [zeros(*shape).astype(dtype) for shape in shapes]
    with sg.threads(3):
        passed, returned = Operands("kernel", declaration).prepare(*operands)
    shapes_and_dtypes = [(shape, np.dtype(dtype)) for shape in expected]
    assert [(x.shape, x.dtype) for x in returned] == shapes_and_dtypes
    behind = [x.reshape(-1) for x in returned] if "..." in declaration else returned
    for a, b in zip(passed[len(operands) :], behind, strict=False):
        assert np.shares_memory(a, b) or not a.size
    if "_terms" in declaration:  # a row for each thread
        assert passed[-1].shape == (3, 6)
    else:
        assert len(passed) == len(operands) + len(expected)


def test_a_result_has_the_dtype_of_the_arguments_or_the_declared_dtype():
    operands = Operands("kernel", "rows (N,) int64, x (N,), eps () -> y (N,), kl (1,) float64")
    for dtype in ("float32", "float64"):
        passed, (y, kl) = operands.prepare(np.arange(3), zeros(3).astype(dtype), 0.1)
        assert (y.dtype, kl.dtype, passed[2].dtype) == (np.dtype(dtype), np.float64, y.dtype)
    assert Operands("kernel", "kl (Z,) float64 -> y (Z,)").prepare(np.zeros(2))[1][0].dtype == float


def test_a_size_that_follows_from_others_must_not_be_0():
    operands = Operands("kernel", "x (N, D), y (N, K D), rows (1+, D)")
    for shapes in (((2, 3), (2, 0), (1, 3)), ((2, 0), (2, 0), (1, 0)), ((2, 3), (2, 6), (0, 3))):
        with pytest.raises(ShapeError):
            operands.check(*(zeros(*shape) for shape in shapes))


@pytest.mark.parametrize("width", [0, -1, 4, 7])
def test_a_width_divides_the_numbers_of_an_example(width):
    operands = Operands("kernel", "x (N, D), width () int dividing D -> y (N, D)")
    assert operands.check(zeros(2, 6), 3)
    with pytest.raises(ShapeError, match="wants a number that divides 6"):
        operands.check(zeros(2, 6), width)


@EITHER_WAY
@pytest.mark.parametrize("rows", [[0, 4], [-1, 0], [2**62, 0]])
def test_an_index_out_of_range_is_refused_before_anything_is_read(rows, way):
    with way(), pytest.raises(DataError, match="wants whole numbers from 0 to 3"):
        kernels.take_rows(zeros(4, 3), np.array(rows))


@EITHER_WAY
def test_a_label_without_a_logit_is_refused(way):
    logits = zeros(2, 5, 3)
    for label in (3, -1, 0.5, np.nan):
        x = np.array([[0, 1, 2, 0, 1], [0, 1, 2, 0, label]], "float32")
        with way(), pytest.raises(DataError, match=r"wants whole numbers 0 \.\.\. 2"):
            distributions.Categorical(3).log_prob(x, logits)
    with pytest.raises(DataError, match="labels go from -1 to 2"):
        distributions.categorical.log_prob(np.array([-1, 2]), zeros(2, 3))


# Texts of errors.


@EITHER_WAY
def test_the_error_about_a_gradient_of_the_wrong_shape_names_the_layer(way):
    layer = nn.Dense(8, 1)
    block = nn.Block(nn.Layout(net=nn.Network((8,), layer)), rng=0)
    p, g, tape = block.views.net[0], block.zeros_like(), nn.Tape().begin(training=True)
    layer.forward(p, zeros(16, 8), tape)
    text = r"^Dense\(8 -> 1\)\.backward got dy of shape \(16, 40\), wants \(16, 1\)"
    with way(), pytest.raises(ShapeError, match=text):
        layer.backward(p, zeros(16, 40), tape, g.views.net[0])
    assert not g.vector.any()
    with way(), pytest.raises(ShapeError, match=text):
        layer.backward(p, zeros(16, 40), tape)
    with way(), pytest.raises(ShapeError, match=r"dy of shape \(3, 1\), wants \(16, 1\)"):
        layer.backward(p, zeros(3, 1), tape, g.views.net[0])  # of another batch
    with way(), pytest.raises(KindError, match=r"float32 in x and into and float64 in dy"):
        layer.backward(p, np.zeros((16, 1)), tape, g.views.net[0])
    with way(), pytest.raises(KindError, match=r"Dense\(8 -> 1\) got x of .* int64"):
        layer.forward(p, np.zeros((16, 8), "int64"), tape)


@EITHER_WAY
def test_the_gradient_array_of_another_network_is_refused(way):
    layer, other = nn.Dense(8, 1), nn.Dense(5, 3)
    layout = nn.Layout(own=nn.Network((8,), layer), other=nn.Network((5,), other))
    block = nn.Block(layout, rng=0)
    p, g, tape = block.views.own[0], block.zeros_like(), nn.Tape().begin(training=True)
    layer.forward(p, zeros(16, 8), tape)
    with way(), pytest.raises(ShapeError, match=r"into has shape \(5, 3\), wants \(8, 1\)"):
        layer.backward(p, zeros(16, 1), tape, g.views.other[0])
    assert not g.vector.any()


@EITHER_WAY
def test_a_likelihood_refuses_numbers_for_other_examples(way):
    x, raw, dvalue = zeros(5, 4), zeros(3, 4), zeros(3)
    text = r"Bernoulli\(\) got raw of shape \(3, 4\), wants \(5, 4\)"
    with way(), pytest.raises(ShapeError, match=text):
        distributions.Bernoulli().value_and_gradient(x, raw, dvalue)
    with way(), pytest.raises(ShapeError, match=r"dvalue has shape \(3,\), wants \(5,\)"):
        distributions.Bernoulli().value_and_gradient(x, zeros(5, 4), dvalue)


@EITHER_WAY
@pytest.mark.parametrize(
    "likelihood",
    [
        distributions.Bernoulli(),
        distributions.Categorical(3),
        distributions.FixedGaussian(),
        distributions.MeanSquaredError(),
        distributions.SharedGaussian(),
        distributions.Gaussian(),
    ],
    ids=lambda likelihood: likelihood.name,
)
def test_the_right_number_of_numbers_in_another_shape_is_refused(likelihood, way):
    x, dvalue = zeros(2, 3, 4), zeros(2)
    right = zeros(2, *likelihood.raw_shape((3, 4)))
    for raw in (right.reshape(1, -1), right.reshape(-1, 1), zeros(2, *right.shape[1:-1], 1)):
        with way(), pytest.raises(ShapeError):
            likelihood.log_prob(x, raw)
        with way(), pytest.raises(ShapeError):
            likelihood.raw_gradient(x, raw, dvalue)
        with way(), pytest.raises(ShapeError):
            likelihood.value_and_gradient(x, raw, dvalue)


NO_ARRAYS = {
    "a list": (lambda x: x.tolist(), "of type list, wants an array"),
    "nothing": (lambda x: None, "is None"),
    "masked": (lambda x: np.ma.masked_array(x, mask=x == 0), "is a masked array"),
    "a matrix": (np.matrix, "of type matrix, wants an array"),
    "objects": (lambda x: x.astype(object), "is of dtype object"),
}


@EITHER_WAY
@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(("change", "text"), NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_likelihoods_and_games_take_only_arrays(change, text, way):
    dvalue = zeros(2)
    for kind in (distributions.Bernoulli, distributions.FixedGaussian, distributions.Gaussian):
        likelihood = kind()
        x, raw = zeros(2, 4), zeros(2, *likelihood.raw_shape((4,)))
        for pair in ((change(x), raw), (x, change(raw))):
            for function in (
                likelihood.log_prob,
                lambda x, raw: likelihood.value_and_gradient(x, raw, dvalue),
            ):
                with way(), pytest.raises(KindError, match=text):
                    function(*pair)
            with way(), pytest.raises(KindError, match=text):
                likelihood.raw_gradient(*pair, dvalue)
    for game in losses.LOSSES.values():
        with way(), pytest.raises(KindError, match=text):
            game.discriminator_pass(zeros(2), change(zeros(2)), dvalue)
        with way(), pytest.raises(KindError, match=text):
            game.generator_pass(change(zeros(2)), dvalue)


@EITHER_WAY
@pytest.mark.parametrize("game", losses.LOSSES.values(), ids=str)
def test_a_game_wants_as_many_fake_scores_as_real_ones(game, way):
    real, fake, dvalue = zeros(2), zeros(2000), zeros(2)
    text = rf"{game}\.discriminator_pass: fake_score has shape \(2000,\), wants \(2,\)"
    with way(), pytest.raises(ShapeError, match=text):
        game.discriminator_pass(real, fake, dvalue)
    with way(), pytest.raises(ShapeError):
        game.discriminator_pass(zeros(2, 1), zeros(2), dvalue)
    with way(), pytest.raises(ShapeError):
        game.generator_pass(fake, dvalue)


@EITHER_WAY
def test_a_penalty_wants_a_weight_for_each_slope_and_a_fake_for_each_real_example(way):
    penalty = losses.GradientPenalty()
    with way(), pytest.raises(ShapeError, match=r"dvalue has shape \(3,\), wants \(2,\)"):
        penalty.value_and_gradient(zeros(2, 4), zeros(3))
    for fake in (zeros(3, 4), zeros(1, 4), zeros(4, 2)):
        with way(), pytest.raises(ShapeError, match="fake has shape"):
            penalty.points(zeros(2, 4), fake, np.random.default_rng(0))


LAYERS = {
    "ReLU": (nn.ReLU(), (4,)),
    "Dropout": (nn.Dropout(0.5), (4,)),
    "LayerNorm": (nn.LayerNorm(4), (4,)),
    "BatchNorm": (nn.BatchNorm(4), (4,)),
    "Reshape": (nn.Reshape((2, 2)), (4,)),
    "Maxout": (nn.Maxout(2), (4,)),
    "JoinLabels": (nn.JoinLabels(3, 2), (4,)),
    "JoinParameters": (nn.JoinParameters(2), (4,)),
    "Residual": (nn.Residual(nn.Dense(4, 4)), (4,)),
    "Tied": (nn.Tied(nn.Dense(2, 4)), (4,)),
}


@EITHER_WAY
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_refuses_the_gradient_of_another_pass(name, way):
    layer, shape = LAYERS[name]
    inside = nn.Network((2,), layer.of) if name == "Tied" else nn.Network((2,), nn.Dense(2, 2))
    block = nn.Block(nn.Layout(net=nn.Network(shape, layer), inside=inside), rng=0)
    g = block.zeros_like()
    values = {"rng": np.random.default_rng(0), "labels": np.arange(6) % 3}
    tape = nn.Tape().begin(training=True, **values)
    y = layer.forward(block.views.net[0], zeros(6, *shape), tape)
    for wrong in (zeros(2, *y.shape[1:]), zeros(1, *y.shape[1:]), zeros(6, *y.shape[1:], 1)):
        with way(), pytest.raises(ShapeError):
            layer.backward(block.views.net[0], wrong, tape, g.views.net[0])
    assert not g.vector.any()
    transposed = zeros(*y.shape[1:], len(y)) if name in ("Reshape", "Dropout") else zeros(6, 9)
    with way(), pytest.raises(ShapeError):
        layer.backward(block.views.net[0], transposed, tape, g.views.net[0])


@EITHER_WAY
def test_a_network_refuses_the_gradient_of_another_pass_or_network(way):
    network = nn.Network((4,), nn.Flatten(), nn.ReLU(), nn.GaussianNoise(0.0))
    block = nn.Block(nn.Layout(net=network), rng=0)
    tape = nn.Tape()
    with way(), pytest.raises(TapeError, match="run forward on it first"):
        network.backward(block.views.net, zeros(2, 4), tape.begin())
    network.forward(block.views.net, zeros(6, 4), tape.begin())
    for method, what in ((network.backward, "dy"), (network.tangent, "u")):
        for wrong in (zeros(5, 4), zeros(6, 5), zeros(4, 6)):
            with way(), pytest.raises(ShapeError, match=rf"got {what} of shape .*, wants \(6, 4\)"):
                method(block.views.net, wrong, tape)
    with way(), pytest.raises(ShapeError, match="wants"):
        network.forward(block.views.net, zeros(6, 5), tape.begin())


@EITHER_WAY
def test_optimizers_and_averages_refuse_a_vector_of_another_length(way):
    theta = zeros(6)
    for optimizer in (
        *(kind() for kind in optim.OPTIMIZERS.values() if kind is not optim.ClipNorm),
        optim.RMSProp(centred=True),
    ):
        memory = optimizer.memory(theta)
        with way(), pytest.raises(ShapeError):
            optimizer.update(theta, zeros(5), memory)
        centred = getattr(optimizer, "centred", True)  # otherwise the mean is not needed
        for name in optimizer.arrays if centred else ("v",):
            setattr(memory, name, zeros(5))
            kind = type(optimizer).__name__
            with way(), pytest.raises(ShapeError, match=rf"^{kind}\(.*: {name} has shape"):
                optimizer.update(theta, zeros(6), memory)
            setattr(memory, name, zeros(6))
    assert not theta.any()


@EITHER_WAY
def test_memory_that_cannot_be_written_is_refused(way):
    into = zeros(2, 3)
    into.flags.writeable = False
    for kernel in (kernels.add_in_place, lambda x, into: kernels.add_outer(x[:1].T[:2], x, into)):
        with way(), pytest.raises(KindError, match="into is read-only"):
            kernel(zeros(2, 3) if kernel is kernels.add_in_place else zeros(1, 3), into)


def test_the_error_about_an_operand_that_is_no_array_names_the_operand():
    with pytest.raises(KindError, match="x is list, wants a NumPy array"):
        kernels.take_rows([[0.0]], np.array([0]))
    for scale in ("1", [0.1], None, np.ones(())):
        with pytest.raises(KindError, match=r"scale is \w+, wants a number"):
            kernels.add_scaled(zeros(2), zeros(2), scale)


# Arrays with any strides.


def strided(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, 2, axis=-1)[..., ::2]


def backwards(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x[..., ::-1])[..., ::-1]


def read_only(x: np.ndarray) -> np.ndarray:
    return np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape)


def mapped(x: np.ndarray) -> np.ndarray:
    return x.view(np.memmap)


ANY_MEMORY = [strided, backwards, np.asfortranarray, mapped, read_only]


@EITHER_WAY
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_does_the_same_with_arrays_in_any_memory(name, way):
    """Loops read only contiguous arrays; for others they get copies, or NumPy computes."""
    kernel, arguments = KERNELS[name], case(name, 3, 6, "float32", 1)

    def outcome(*args):
        results = kernel.call(*args)
        results = () if results is None else results if isinstance(results, tuple) else (results,)
        return [*map(np.array, [*results, *args])]

    with way():
        expected = outcome(*case(name, 3, 6, "float32", 1))
        for i, operand in enumerate(kernel.operands.arguments):
            for change in ANY_MEMORY if not operand.is_number else ():
                if change is read_only and operand.in_place:
                    continue
                args = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
                args[i] = change(args[i])
                for ours, right in zip(outcome(*args), expected, strict=True):
                    np.testing.assert_allclose(ours, right, rtol=1e-5, atol=1e-5)


@EITHER_WAY
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_takes_a_batch_without_examples(name, way):
    with way(), np.errstate(all="ignore"):
        y = KERNELS[name].call(*case(name, 0, 3, "float32", 0))
    for x in () if y is None else y if isinstance(y, tuple) else (y,):
        assert type(x) is np.ndarray
        assert x.dtype.kind in "fb"


# When operands are checked.


def test_a_replay_checks_no_operand(monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_REPLAY", "1")
    checks = []
    operands = optim.adam.adam_step.definition.operands
    check = operands.check
    monkeypatch.setitem(vars(operands), "check", lambda *args: checks.append(1) or check(*args))
    model = sg.models.vae((4,), latent=2, hidden=(3,), rng=0)
    with by_formulas():
        sg.fit(model, zeros(8, 4), epochs=9, batch_size=8, seed=0)
    assert (
        len(checks) == 3
    )  # the steps that Python runs: the first, the recorded and the compared step
