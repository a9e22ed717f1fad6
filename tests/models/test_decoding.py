"""The prepared decoder returns the same examples as `decode`, from any thread."""

import asyncio
import copy
import pickle
import sys
import threading

import numpy as np
import pytest

import scratchgen as sg
from scratchgen import nn
from scratchgen.ground.errors import KindError, OptionError, ShapeError
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works

needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)


def models():
    yield sg.models.vae((28, 28, 1), latent=3, hidden=(8,), rng=0)
    yield sg.models.vae((2,), latent=3, hidden=(8,), rng=0)
    yield sg.models.vae((4, 4, 1), latent=3, hidden=(8,), likelihood="gaussian_shared", rng=0)
    yield sg.models.gan((2,), latent=3, hidden=(8,), rng=0)
    yield sg.models.gan((6, 6, 1), latent=3, hidden=(8,), rng=0)


@pytest.mark.parametrize("model", list(models()), ids=str)
@pytest.mark.parametrize("batch", [1, 5])
def test_it_decodes_as_decode_does_and_earlier_results_stay_unchanged(model, batch):
    decode, rng = model.prepared_decoder(batch=batch), np.random.default_rng(0)
    latents = rng.standard_normal((3, batch, 3))
    kept = [decode(z) for z in latents]
    for z, x in zip(latents, kept, strict=True):
        np.testing.assert_allclose(x, model.decode(z.astype(np.float32)), rtol=1e-6, atol=1e-7)
        assert x.shape == (batch, *model.shape)


@pytest.mark.parametrize("model", list(models()), ids=str)
def test_it_writes_into_the_array_that_is_passed_as_out(model):
    decode, z = model.prepared_decoder(), np.ones((1, 3), np.float32)
    out = np.full((1, *model.shape), 7, np.float32)
    assert decode(z, out=out) is out
    np.testing.assert_array_equal(out, decode(z))


@pytest.mark.parametrize("out", [np.zeros((2, 2), np.float32), np.zeros((1, 2)), [[0.0, 0.0]]])
def test_an_array_that_does_not_fit_is_refused_with_the_one_that_does(out):
    decode = sg.models.gan((2,), latent=3, hidden=(8,), rng=0).prepared_decoder()
    with pytest.raises(ShapeError, match=r"np\.empty\(\(1, 2\), 'float32'\)"):
        decode(np.ones((1, 3)), out=out)


def test_it_joins_labels_and_requires_them():
    model = sg.models.vae((2,), latent=3, hidden=(8,), n_labels=4, rng=0)
    decode, z = model.prepared_decoder(batch=2), np.ones((2, 3), np.float32)
    for labels in ([0, 3], [1, 1]):
        np.testing.assert_array_equal(decode(z, labels=labels), model.decode(z, labels=labels))
    with pytest.raises(OptionError, match="wants the label of each example"):
        decode(z)
    with pytest.raises(OptionError, match="no JoinLabels"):
        sg.models.vae((2,), latent=3, hidden=(8,), rng=0).prepared_decoder(2)(z, labels=[0, 1])


def test_it_follows_the_weights():
    model = sg.models.gan((2,), latent=3, hidden=(8,), rng=0)
    decode, z = model.prepared_decoder(), np.ones((1, 3), np.float32)
    before = decode(z).copy()
    model.theta("generator")[:] *= 2
    assert not np.allclose(decode(z), before)
    np.testing.assert_allclose(decode(z), model.decode(z), rtol=1e-6)


@pytest.mark.parametrize("model", list(models()), ids=str)
@pytest.mark.parametrize("way", [by_formulas, pytest.param(by_loops, marks=needs_numba)])
def test_it_runs_no_python_of_the_layers(model, way, monkeypatch):
    monkeypatch.setattr("scratchgen.inference.evaluation.why_not", lambda: "")
    with way():
        decode, z = model.prepared_decoder(), np.ones((1, 3), np.float32)
        expected = decode(z)
        monkeypatch.setattr(nn.Dense, "forward", lambda *_: pytest.fail("a layer is called"))
        np.testing.assert_array_equal(decode(z), expected)


@needs_numba
def test_decoders_prepared_in_one_thread_work_in_others_with_separate_memory():
    """Products of 256 rows, or of transposed weights, copy operands into a buffer of the thread."""
    first = nn.Dense(64, 32)
    encoder = nn.Network((64,), first, nn.Dense(32, 64))
    decoder = nn.Network((32,), nn.Dense(32, 32), nn.ReLU(), nn.Tied(first))
    model = sg.models.VAE(encoder, decoder, "mse", rng=0)
    latents = np.random.default_rng(0).standard_normal((2, 256, 32)).astype(np.float32)
    with by_loops():
        decoders = [model.prepared_decoder(256) for _ in latents]
        expected = [decode(z).copy() for decode, z in zip(decoders, latents, strict=True)]
    wrong = []

    def work(decode, z, expected):
        for _ in range(300):
            if not np.array_equal(decode(z), expected):
                wrong.append(z)

    cases = zip(decoders, latents, expected, strict=True)
    threads = [threading.Thread(target=work, args=case) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_which_would_work_in_the_same_memory_is_refused(how):
    decode = sg.models.vae((2,), latent=3, hidden=(8,), rng=0).prepared_decoder()
    with pytest.raises(
        KindError, match=r"model\.prepared_decoder\(batch=\.\.\.\) prepares another"
    ):
        how(decode)


@pytest.mark.parametrize(
    ("z", "error", "words"),
    [
        (np.ones((2, 3)), ShapeError, r"\(2, 3\), wants \(1, 3\)"),
        (np.ones(3), ShapeError, r"\(3,\), wants \(N, 3\)"),
        ([["a", "b", "c"]], KindError, "wants real numbers"),
        (np.array([["1", "2", "3"]]), KindError, "wants real numbers"),
        (np.array([["a", "b", "c"]], object), KindError, "wants real numbers"),
        (np.ones((1, 3), complex), KindError, "wants real numbers"),
    ],
)
def test_a_wrong_call_is_explained(z, error, words):
    with pytest.raises(error, match=words):
        sg.models.gan((2,), latent=3, hidden=(8,), rng=0).prepared_decoder()(z)


def test_a_batch_of_0_is_refused():
    with pytest.raises(OptionError, match="batch=0"):
        sg.models.gan((2,), latent=3, hidden=(8,), rng=0).prepared_decoder(batch=0)


@pytest.fixture
def impatient_threads():
    """Threads take turns after 1 microsecond, instead of 5,000."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient_threads")
@pytest.mark.parametrize("n_labels", [0, 4])
def test_threads_that_share_a_decoder_get_their_own_results(n_labels):
    model = sg.models.vae((28, 28, 1), latent=3, hidden=(8,), n_labels=n_labels, rng=0)
    decode, latents = model.prepared_decoder(), np.random.default_rng(0).standard_normal((4, 1, 3))
    labels_of_each = [[k] if n_labels else None for k in range(4)]
    expected = [model.decode(z, k) for z, k in zip(latents, labels_of_each, strict=True)]
    wrong = []

    def work(z, labels, expected):
        for _ in range(100):
            if not np.allclose(decode(z, labels), expected, atol=1e-6):
                wrong.append(z)

    cases = zip(latents, labels_of_each, expected, strict=True)
    threads = [threading.Thread(target=work, args=case) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_coroutines_that_share_a_decoder_keep_their_own_results(in_a_thread):
    model = sg.models.vae((2,), latent=3, hidden=(8,), rng=0)
    decode, latents = model.prepared_decoder(), np.random.default_rng(0).standard_normal((20, 1, 3))

    async def serve(z):
        x = await asyncio.to_thread(decode, z) if in_a_thread else decode(z)
        await asyncio.sleep(0)  # let the other coroutines run
        return x

    async def serve_all():
        return await asyncio.gather(*map(serve, latents))

    for z, x in zip(latents, asyncio.run(serve_all()), strict=True):
        np.testing.assert_allclose(x, model.decode(z), rtol=1e-6, atol=1e-7)


def test_threads_with_a_decoder_each_do_not_disturb_each_other():
    model = sg.models.vae((28, 28, 1), latent=3, hidden=(8,), rng=0)
    wrong = []

    def work(seed):
        decode, rng = model.prepared_decoder(), np.random.default_rng(seed)
        for _ in range(50):
            z = rng.standard_normal((1, 3)).astype(np.float32)
            if not np.allclose(decode(z), model.decode(z), atol=1e-6):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("replay", ["0", "1"])
def test_with_replays_off_the_arrays_of_a_pass_may_be_kept(replay, monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_REPLAY", replay)
    model, kept, forward = (
        sg.models.vae((28, 28, 1), latent=3, hidden=(8,), rng=0),
        [],
        nn.Dense.forward,
    )

    def keeping(*arguments):
        y = forward(*arguments)
        kept.append((y, y.copy()))
        return y

    monkeypatch.setattr("scratchgen.inference.evaluation.why_not", lambda: "")
    monkeypatch.setattr(nn.Dense, "forward", keeping)
    with by_loops():
        model.decode(np.random.default_rng(0).standard_normal((20_000, 3)))
    several = len(kept)
    assert several > 2  # chunks, each through both layers
    with by_loops():
        decode = model.prepared_decoder()
        for z in np.eye(3):
            decode(z[None])
    changed = [not np.array_equal(y, then) for y, then in kept]
    if replay == "0":
        assert not any(changed)
    elif compiles() and numba_works():  # the results of NumPy's formulas are new arrays anyway
        assert any(changed[:several])
