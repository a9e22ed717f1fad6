"""What the bench compares is the same: each peer's loss, and its weights after a step, are ours."""

import importlib
from typing import Any

import numpy as np
import pytest

from scratchgen import train
from scratchgen.bench import tasks
from scratchgen.ground.versions import is_installed

PEERS = ("torch", "jax", "tensorflow")
TASKS = [task for task in tasks.TASKS if task.compared and "batch 512" not in task.name]
COMPILED = {"torch": "compile", "tensorflow": "XLA"}  # and jax always
CLOSE = 1e-5


class Recorder(np.random.Generator):
    """A Generator that keeps what it drew."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.drawn: list[np.ndarray] = []

    def standard_normal(self, *args: Any, **settings: Any) -> Any:
        return self._kept(super().standard_normal(*args, **settings))

    def random(self, *args: Any, **settings: Any) -> Any:
        return self._kept(super().random(*args, **settings))

    def _kept(self, drawn: Any) -> Any:
        self.drawn.append(np.array(drawn))
        return drawn


def our_step(task: tasks.Task, dtype: str) -> Any:
    """A batch, the noise by player, what each player minimised, the weights before and after."""
    model = tasks.model(task, dtype)
    before = tasks.weights(model)
    batch = model.check(tasks.examples(task, task.batch))
    rng = Recorder(1)
    parts = train.Trainer(model, tasks.optimizers(task)).step(batch, rng)
    several = task.game == "critic"
    noise = [rng.drawn] if several else [[array] for array in rng.drawn]
    values = [parts[name] for name in ("loss", "discriminator", "generator") if name in parts]
    return batch, noise, values, before, tasks.weights(model)


def peer_for(name: str) -> Any:
    if not is_installed(name):
        pytest.skip(f"{name} is not installed: there is nothing to compare with")
    return importlib.import_module(f"peers.{name}_peer")


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_computes_our_loss(peer, task):
    """The first player's; the second meets a first that has moved, by rounding, elsewhere."""
    module = peer_for(peer)
    batch, noise, values, before, _ = our_step(task, "float32")
    theirs = module.Peer(task, before).step(batch, noise)
    np.testing.assert_allclose(theirs[0], values[0], rtol=CLOSE)


WAYS = [(peer, None, task) for peer in PEERS for task in TASKS]
OTHERS = [*tasks.OTHERS[1:], tasks.GAUSSIAN[0]]
WAYS += [(peer, how, task) for peer, how in COMPILED.items() for task in OTHERS]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("peer", "how", "task"), WAYS, ids=lambda value: getattr(value, "name", value)
)
def test_a_peer_takes_our_step(peer, how, task):
    """In float64, where Adam sees the same sign in a gradient that is nearly 0."""
    module = peer_for(peer)
    batch, noise, values, before, after = our_step(task, "float64")
    tool = module.Peer(task, before, "float64", how or module.VARIANTS[0])
    np.testing.assert_allclose(tool.step(batch, noise), values, rtol=CLOSE)
    for network, arrays in tool.weights().items():
        for theirs, ours, first in zip(arrays, after[network], before[network], strict=True):
            allowed = CLOSE * task.rate[0]  # the size of Adam's first move
            np.testing.assert_allclose(theirs - first, ours - first, rtol=0, atol=allowed)
    moved = {"vae": {"encoder", "decoder"}, "gan": {"generator", "discriminator"}}
    for network in moved.get(task.game, {"discriminator"}):
        weights = zip(after[network][::2], before[network][::2], strict=True)  # without biases,
        assert all((a != b).any() for a, b in weights)  # the last of which no critic can feel


def test_onnxruntime_decodes_as_we_do():
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: nothing to compare")
    pytest.importorskip("onnx", reason="onnx is not installed: there is no graph to run")
    from peers import onnx_peer

    model = tasks.model(tasks.STEP[0])
    z = np.random.default_rng(0).standard_normal((1, 20), dtype=np.float32)
    (x,) = onnx_peer.session(tasks.weights(model)["decoder"], 1).run(None, {"z": z})
    np.testing.assert_allclose(x, model.decode(z), rtol=CLOSE)
