"""Arrays in another byte order, or at unaligned addresses, give the same results everywhere.

Files of other machines hold them, and so do columns of records behind a header. Compiled loops can
read neither; after an unaligned array, numba would even take `>f8` for `<f8`.
"""

import io
from typing import Any

import numpy as np
import pytest

import scratchgen as sg
from scratchgen import distributions, losses, nn
from scratchgen.gradcheck.library.layer_points import layer_points
from scratchgen.gradcheck.library.points import draw_labels, spread
from scratchgen.kernels.cases import case
from scratchgen.kernels.cases import kernels as all_kernels
from scratchgen.kernels.compiling import _kind
from scratchgen.kernels.formulas import by_formulas, by_loops

EITHER_WAY = pytest.mark.parametrize("way", [by_loops, by_formulas])
IN_BOTH_FLOATS = pytest.mark.parametrize("dtype", ["float32", "float64"])
KERNELS = all_kernels()

LIKELIHOODS = distributions.LIKELIHOODS.examples()
OPTIMIZERS = sg.optim.OPTIMIZERS.examples()


def unaligned(x: np.ndarray) -> np.ndarray:
    """The same numbers, one byte behind an aligned address."""
    memory = np.empty(x.nbytes + 1, "u1")
    moved = memory[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    assert not moved.flags.aligned or not x.size or x.itemsize == 1
    return moved


def swapped(x: np.ndarray) -> np.ndarray:
    """The same numbers in the other byte order."""
    return x.astype(x.dtype.newbyteorder())


# An unaligned array comes before one in another byte order, for numba's mistake above.
FOREIGN = (unaligned, swapped, lambda x: unaligned(swapped(x)))


def foreign(value: Any, change: Any) -> Any:
    return change(value) if isinstance(value, np.ndarray) else value


def assert_same(result: Any, expected: Any) -> None:
    """Equal up to roundings, because NumPy computes where a loop cannot read."""
    result, expected = np.asarray(result), np.asarray(expected)
    assert result.shape == expected.shape
    if expected.dtype.kind == "f":
        eps = np.finfo(expected.dtype).eps
        size = np.abs(expected).max(initial=1)
        np.testing.assert_allclose(result, expected, rtol=200 * eps, atol=200 * eps * size)
    else:
        assert np.array_equal(result, expected)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_gives_the_same_results_with_each_operand_foreign(name, dtype, way):
    kernel = KERNELS[name]

    def outcome(operands: list[Any]) -> list[Any]:
        """All arrays that the kernel returns, and its operands, which it may have changed."""
        y = kernel.call(*operands)
        return [*(() if y is None else y if isinstance(y, tuple) else (y,)), *operands]

    with by_formulas():
        expected = outcome(case(name, 3, 6, dtype, 1))
    for i, operand in enumerate(kernel.operands.arguments):
        for change in FOREIGN if not operand.is_number else ():
            operands = case(name, 3, 6, dtype, 1)
            operands[i] = change(operands[i])
            with way():
                results = outcome(operands)
            for ours, right in zip(results, expected, strict=True):
                assert_same(ours, right)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(nn.LAYERS))
def test_a_layer_gives_the_same_results_with_foreign_arrays(name, dtype, way):
    layer, (n, *shape) = layer_points(nn.LAYERS[name])[0]
    rng = np.random.default_rng(0)
    networks = {"of": layer.of} if isinstance(layer, nn.Tied) else {}
    block = nn.Block(nn.Layout(it=layer, **networks), dtype, rng)
    x, u = (spread(rng, (n, *shape)).astype(dtype) for _ in "xu")
    y_shape = (n, *layer.out_shape(tuple(shape)))
    dy, dv = (spread(rng, y_shape).astype(dtype) for _ in "yv")
    labels = draw_labels(layer, n, rng)

    def outcome(change: Any) -> list[Any]:
        p, tape, g = block.views.it, nn.Tape(), block.zeros_like()
        changed_labels = foreign(labels, change)
        tape.begin(training=True, rng=np.random.default_rng(5), labels=changed_labels)
        results = [layer.forward(p, change(x), tape).copy()]
        results.append(layer.backward(p, change(dy), tape, g.views.it).copy())
        if not layer.why_no_tangent():
            results.append(layer.tangent(p, change(u), tape).copy())
            d = layer.tangent_backward(p, change(dy), change(dv), tape, g.views.it)
            results += [d.x.copy(), d.u.copy()]
        return [*results, g.vector]

    with way():
        expected = outcome(lambda x: x)
        for change in FOREIGN:
            for ours, right in zip(outcome(change), expected, strict=True):
                assert_same(ours, right)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_a_likelihood_gives_the_same_results_with_foreign_arrays(name, dtype, way):
    likelihood, rng = LIKELIHOODS[name], np.random.default_rng(0)
    x = rng.integers(0, 2, (3, 4)).astype(dtype)
    raw = rng.standard_normal((3, *likelihood.raw_shape((4,)))).astype(dtype)
    dvalue = rng.standard_normal(3).astype(dtype)

    def outcome(change: Any) -> list[Any]:
        pair = change(x), change(raw)
        return [
            *likelihood.value_and_gradient(*pair, change(dvalue)),
            likelihood.log_prob(*pair),
            likelihood.raw_gradient(*pair, change(dvalue)),
            likelihood.mean(pair[1]),
            likelihood.draw(pair[1], np.random.default_rng(1)),
        ]

    with way():
        expected = outcome(lambda x: x)
        for change in FOREIGN:
            for ours, right in zip(outcome(change), expected, strict=True):
                assert_same(ours, right)


@EITHER_WAY
@IN_BOTH_FLOATS
def test_games_and_penalties_give_the_same_results_with_foreign_arrays(dtype, way):
    rng = np.random.default_rng(0)
    real, fake, dvalue = (rng.standard_normal(5).astype(dtype) for _ in range(3))
    x, generated, slope = (rng.standard_normal((5, 4)).astype(dtype) for _ in range(3))

    def outcome(change: Any) -> list[Any]:
        results: list[Any] = []
        for game in losses.LOSSES.values():
            d = game.discriminator_pass(change(real), change(fake), change(dvalue))
            g = game.generator_pass(change(fake), change(dvalue))
            results += [d.value, d.real, d.fake, g.value, g.fake]
        for penalty in losses.PENALTIES.examples().values():
            points = (change(x), change(generated), np.random.default_rng(1))
            results.append(penalty.points(*points))
            results += penalty.value_and_gradient(change(slope), change(dvalue))
            results.append(penalty.value(change(slope)))
            results.append(penalty.slope_gradient(change(slope), change(dvalue)))
        return results

    with way():
        expected = outcome(lambda x: x)
        for change in FOREIGN:
            for ours, right in zip(outcome(change), expected, strict=True):
                assert_same(ours, right)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_takes_the_same_steps_on_foreign_vectors(name, dtype, way):
    optimizer, average = OPTIMIZERS[name], sg.optim.MovingAverage(0.5)
    rng = np.random.default_rng(0)
    start, gradient = (rng.standard_normal(7).astype(dtype) for _ in range(2))

    def outcome(of_theta: Any, of_gradient: Any) -> list[Any]:
        theta = of_theta(start.copy())
        memory, mean = optimizer.memory(theta), average.memory(theta)
        for _ in range(3):
            optimizer.update(theta, of_gradient(gradient), memory)
            average.update(theta, mean)
        return [theta, average.average(mean)]

    with way():
        expected = outcome(np.copy, np.copy)
        for change in FOREIGN:
            for pair in ((change, np.copy), (np.copy, change), (change, change)):
                for ours, right in zip(outcome(*pair), expected, strict=True):
                    assert_same(ours, right)


@EITHER_WAY
@IN_BOTH_FLOATS
def test_models_and_fit_give_the_same_results_on_foreign_data(dtype, way):
    x = np.random.default_rng(0).random((12, 4)).astype(dtype)
    labels, z = np.arange(12) % 3, np.random.default_rng(1).standard_normal((3, 2)).astype(dtype)

    def outcome(change: Any) -> list[Any]:
        vae = sg.models.vae((4,), latent=2, hidden=(3,), n_labels=3, dtype=dtype, rng=0)
        gan = sg.models.wgan_gp((4,), latent=2, hidden=(3,), dtype=dtype, rng=0)
        all_labels, three = {"labels": change(labels)}, {"labels": change(labels[:3])}
        sg.fit(vae, change(x), epochs=8, batch_size=6, seed=0, **all_labels)
        sg.fit(gan, change(x), epochs=8, batch_size=6, seed=0)
        results = [
            vae.vector,
            gan.theta("discriminator"),
            vae.encode(change(x), **all_labels),
            vae.reconstruct(change(x), **all_labels),
            vae.elbo(change(x), rng=0, **all_labels),
            vae.decode(change(z), **three),
            vae.prepared_decoder(3)(change(z), **three).copy(),
            gan.decode(change(z)),
            gan.prepared_decoder(3)(change(z)).copy(),
            gan.score(change(x)),
            gan.trace(change(x), rng=0)["discriminator.real.0"].activation,
        ]
        gradient = vae.gradient("vae")
        loss = vae.objective("vae", change(x), 0, gradient, labels=change(labels))
        return [*results, gradient.vector, gradient.vector.dtype.type(loss)]

    with way():
        expected = outcome(lambda x: x)
        for change in FOREIGN:
            for ours, right in zip(outcome(change), expected, strict=True):
                assert_same(ours, right)


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2", ">i8", ">u4"])
def test_files_of_other_machines_hold_the_same_data_and_labels(kind, tmp_path):
    x, labels = np.arange(12).reshape(4, 3), np.array([1, 0, 2, 1])
    np.savez(tmp_path / "labelled.npz", x=x.astype(kind), y=labels.astype(">i8"))
    np.save(tmp_path / "x.npy", x.astype(kind))
    data, data_labels = sg.data.load(tmp_path / "labelled.npz", return_labels=True)
    assert (data.dtype, data_labels.dtype) == (np.float32, np.int64)
    assert data.tolist() == x.tolist()
    assert data_labels.tolist() == labels.tolist()
    assert sg.data.load(tmp_path / "x.npy").tolist() == x.tolist()


@pytest.mark.parametrize("change", FOREIGN)
def test_the_checker_gives_the_same_verdicts_on_foreign_arrays(change):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))

    def forward(x, w):
        return x @ w

    def right(dy, x, w):
        return dy @ w.T, x.T @ dy

    def wrong(dy, x, w):
        return dy @ w.T, 2 * x.T @ dy

    assert sg.check_pair(forward, right, (change(x), change(w)), seed=0).ok
    assert not sg.check_pair(forward, wrong, (change(x), change(w)), seed=0).ok
    layer = nn.Dense(3, 2)
    assert sg.check(layer, change(x), seed=0).ok


def test_a_saved_model_of_another_machine_is_the_same_model():
    model = sg.models.vae((4,), latent=2, hidden=(3,), rng=0)
    block = model.block
    file = io.BytesIO()
    sg.save(model, file)
    assert sg.load(file.getvalue()).vector.dtype.isnative
    block.vector = swapped(block.vector)
    block.views = block.layout.views(block.vector, block.state)
    z = np.zeros((2, 2))
    for way in (by_loops, by_formulas):
        with way():
            assert_same(model.decode(z), sg.load(file.getvalue()).decode(z))


def test_compiling_tells_arrays_apart_by_byte_order_and_alignment():
    x = np.zeros(3)
    assert len({_kind(x), _kind(swapped(x)), _kind(unaligned(x))}) == 3


def test_log_densities_are_the_same_on_foreign_arrays():
    rng = np.random.default_rng(0)
    x, mu, log_var = rng.standard_normal((3, 2, 4))
    expected = distributions.gaussian.log_prob(x, mu, log_var)
    for change in FOREIGN:
        result = distributions.gaussian.log_prob(change(x), change(mu), change(log_var))
        assert_same(result, expected)
