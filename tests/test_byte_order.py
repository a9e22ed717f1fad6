"""Numbers in another byte order, or at odd addresses, are the same numbers, wherever they come in.

Files of other machines hold them, and so do columns of records, which a header shifts. Compiled
loops read neither; after an unaligned array numba would even take `>f8` for `<f8`.
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
    """The same numbers, one byte behind a place where the CPU likes them to be."""
    memory = np.empty(x.nbytes + 1, "u1")
    moved = memory[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    assert not moved.flags.aligned or not x.size or x.itemsize == 1
    return moved


def swapped(x: np.ndarray) -> np.ndarray:
    """The same numbers in the other byte order."""
    return x.astype(x.dtype.newbyteorder())


# The order matters: see the top of this file.
FOREIGN = (unaligned, swapped, lambda x: unaligned(swapped(x)))


def foreign(value: Any, change: Any) -> Any:
    return change(value) if isinstance(value, np.ndarray) else value


def same(found: Any, wanted: Any) -> None:
    """Equal but for some roundings: where a loop cannot read, NumPy computes."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    if wanted.dtype.kind == "f":
        eps = np.finfo(wanted.dtype).eps
        size = np.abs(wanted).max(initial=1)
        np.testing.assert_allclose(found, wanted, rtol=200 * eps, atol=200 * eps * size)
    else:
        assert np.array_equal(found, wanted)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_does_the_same_with_each_operand_that_is_foreign(name, dtype, way):
    kernel = KERNELS[name]

    def outcome(given: list[Any]) -> list[Any]:
        made = kernel.call(*given)
        return [*(() if made is None else made if isinstance(made, tuple) else (made,)), *given]

    with by_formulas():
        wanted = outcome(case(name, 3, 6, dtype, 1))
    for i, operand in enumerate(kernel.operands.arguments):
        for change in FOREIGN if not operand.is_number else ():
            given = case(name, 3, 6, dtype, 1)
            given[i] = change(given[i])
            with way():
                found = outcome(given)
            for ours, right in zip(found, wanted, strict=True):
                same(ours, right)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(nn.LAYERS))
def test_a_layer_does_the_same_with_foreign_arrays(name, dtype, way):
    layer, (n, *shape) = layer_points(nn.LAYERS[name])[0]
    of = [layer.of] if isinstance(layer, nn.Tied) else []
    rng = np.random.default_rng(0)
    inside = {f"of_{i}": nn.Network((one.n_in,), one) for i, one in enumerate(of)}
    block = nn.Block(nn.Layout(it=layer, **inside), dtype, rng)
    x, u = (spread(rng, (n, *shape)).astype(dtype) for _ in "xu")
    y_shape = (n, *layer.out_shape(tuple(shape)))
    dy, dv = (spread(rng, y_shape).astype(dtype) for _ in "yv")
    labels = draw_labels(layer, n, rng)

    def outcome(change: Any) -> list[Any]:
        p, tape, g = block.views.it, nn.Tape(), block.zeros_like()
        given = foreign(labels, change)
        tape.begin(training=True, rng=np.random.default_rng(5), labels=given)
        found = [layer.forward(p, change(x), tape).copy()]
        found.append(layer.backward(p, change(dy), tape, g.views.it).copy())
        if not layer.why_no_tangent():
            found.append(layer.tangent(p, change(u), tape).copy())
            d = layer.tangent_backward(p, change(dy), change(dv), tape, g.views.it)
            found += [d.x.copy(), d.u.copy()]
        return [*found, g.vector]

    with way():
        wanted = outcome(lambda x: x)
        for change in FOREIGN:
            for found, right in zip(outcome(change), wanted, strict=True):
                same(found, right)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_a_likelihood_does_the_same_with_foreign_arrays(name, dtype, way):
    likelihood, rng = LIKELIHOODS[name], np.random.default_rng(0)
    x = rng.integers(0, 2, (3, 4)).astype(dtype)
    raw = rng.standard_normal((3, *likelihood.raw_shape((4,)))).astype(dtype)
    dvalue = rng.standard_normal(3).astype(dtype)

    def outcome(change: Any) -> list[Any]:
        given = change(x), change(raw)
        both = likelihood.value_and_gradient(*given, change(dvalue))
        draw = likelihood.draw(given[1], np.random.default_rng(1))
        rest = (likelihood.mean(given[1]), likelihood.raw_gradient(*given, change(dvalue)))
        return [*both, likelihood.log_prob(*given), draw, *rest]

    with way():
        wanted = outcome(lambda x: x)
        for change in FOREIGN:
            for found, right in zip(outcome(change), wanted, strict=True):
                same(found, right)


@EITHER_WAY
@IN_BOTH_FLOATS
def test_games_and_penalties_do_the_same_with_foreign_arrays(dtype, way):
    rng = np.random.default_rng(0)
    real, fake, dvalue = (rng.standard_normal(5).astype(dtype) for _ in range(3))
    x, made, slope = (rng.standard_normal((5, 4)).astype(dtype) for _ in range(3))

    def outcome(change: Any) -> list[Any]:
        found: list[Any] = []
        for game in losses.LOSSES.values():
            d = game.discriminator_pass(change(real), change(fake), change(dvalue))
            g = game.generator_pass(change(fake), change(dvalue))
            found += [d.value, d.real, d.fake, g.value, g.fake]
        for penalty in losses.PENALTIES.examples().values():
            points = (change(x), change(made), np.random.default_rng(1))
            found.append(penalty.points(*points))
            found += penalty.value_and_gradient(change(slope), change(dvalue))
            found.append(penalty.value(change(slope)))
            found.append(penalty.slope_gradient(change(slope), change(dvalue)))
        return found

    with way():
        wanted = outcome(lambda x: x)
        for change in FOREIGN:
            for found, right in zip(outcome(change), wanted, strict=True):
                same(found, right)


@EITHER_WAY
@IN_BOTH_FLOATS
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_walks_the_same_way_on_foreign_vectors(name, dtype, way):
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
        wanted = outcome(np.copy, np.copy)
        for change in FOREIGN:
            for pair in ((change, np.copy), (np.copy, change), (change, change)):
                for found, right in zip(outcome(*pair), wanted, strict=True):
                    same(found, right)


@EITHER_WAY
@IN_BOTH_FLOATS
def test_models_and_fit_take_foreign_data(dtype, way):
    x = np.random.default_rng(0).random((12, 4)).astype(dtype)
    labels, z = np.arange(12) % 3, np.random.default_rng(1).standard_normal((3, 2)).astype(dtype)

    def outcome(change: Any) -> list[Any]:
        vae = sg.models.vae((4,), latent=2, hidden=(3,), n_labels=3, dtype=dtype, rng=0)
        gan = sg.models.wgan_gp((4,), latent=2, hidden=(3,), dtype=dtype, rng=0)
        given = {"labels": change(labels)}
        sg.fit(vae, change(x), epochs=8, batch_size=6, seed=0, **given)
        sg.fit(gan, change(x), epochs=8, batch_size=6, seed=0)
        three = {"labels": change(labels[:3])}
        found = [
            vae.vector,
            gan.theta("discriminator"),
            vae.encode(change(x), **given),
            vae.reconstruct(change(x), **given),
            vae.elbo(change(x), rng=0, **given),
            vae.decode(change(z), **three),
            vae.prepared_decoder(3)(change(z), **three).copy(),
            gan.decode(change(z)),
            gan.prepared_decoder(3)(change(z)).copy(),
            gan.score(change(x)),
            gan.trace(change(x), rng=0)["discriminator.real.0"].activation,
        ]
        gradient = vae.gradient("vae")
        loss = vae.objective("vae", change(x), 0, gradient, labels=change(labels))
        return [*found, gradient.vector, gradient.vector.dtype.type(loss)]

    with way():
        wanted = outcome(lambda x: x)
        for change in FOREIGN:
            for found, right in zip(outcome(change), wanted, strict=True):
                same(found, right)


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2", ">i8", ">u4"])
def test_files_of_other_machines_hold_the_same_data_and_labels(kind, tmp_path):
    x, labels = np.arange(12).reshape(4, 3), np.array([1, 0, 2, 1])
    np.savez(tmp_path / "both.npz", x=x.astype(kind), y=labels.astype(">i8"))
    np.save(tmp_path / "x.npy", x.astype(kind))
    found, found_labels = sg.data.load(tmp_path / "both.npz", return_labels=True)
    assert (found.dtype, found_labels.dtype) == (np.float32, np.int64)
    assert found.tolist() == x.tolist()
    assert found_labels.tolist() == labels.tolist()
    assert sg.data.load(tmp_path / "x.npy").tolist() == x.tolist()


@pytest.mark.parametrize("change", FOREIGN)
def test_the_checker_gives_the_same_verdicts(change):
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
            same(model.decode(z), sg.load(file.getvalue()).decode(z))


def test_what_numba_compiles_for_is_told_apart_by_its_byte_order():
    x = np.zeros(3)
    assert len({_kind(x), _kind(swapped(x)), _kind(unaligned(x))}) == 3


def test_distributions_read_foreign_arrays():
    rng = np.random.default_rng(0)
    x, mu, log_var = rng.standard_normal((3, 2, 4))
    wanted = distributions.gaussian.log_prob(x, mu, log_var)
    for change in FOREIGN:
        same(distributions.gaussian.log_prob(change(x), change(mu), change(log_var)), wanted)
