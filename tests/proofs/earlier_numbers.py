"""Do losses and weights agree to the bit with those of an earlier checkout?

    python tests/proofs/earlier_numbers.py OLD_CHECKOUT

From equal weights, on equal batches and with equal noise, VAEs and GANs of every likelihood, game,
penalty and optimizer take twelve steps in both trees, by formulas and by loops. What each step
reports, an evaluation, the weights and their averages are compared as bits. 102c031 is the last
commit before models had one vector; the script reads what older trees call otherwise.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import scratchgen as sg
from scratchgen import losses, nn, optim
from scratchgen.distributions import LIKELIHOODS
from scratchgen.models import GAN, VAE

try:
    from scratchgen.kernels.formulas import by_formulas, by_loops
    from scratchgen.train.outcome import Outcome
    from scratchgen.train.trainer import Trainer
except ImportError:  # of a tree before these had their present names
    from scratchgen.kernels.twins import references as by_formulas
    from scratchgen.kernels.twins import twins as by_loops
    from scratchgen.train.step import Trainer

    Outcome = None

ROOT = Path(__file__).parent.parent.parent
WAYS = {"formulas": by_formulas, "loops": by_loops}
STEPS = 12
STATES = ("mean", "var")
X = np.random.default_rng(0).random((64, 5))
CLASSES = np.random.default_rng(1).integers(0, 4, (64, 5))
PICTURES = np.random.default_rng(2).random((64, 4, 3, 1))
LABELS = np.arange(64) % 3
OPTIMIZERS = {
    "sgd": optim.SGD(0.05),
    "momentum": optim.Momentum(0.02),
    "nesterov": optim.Nesterov(0.02),
    "rmsprop": optim.RMSProp(0.003),
    "rmsprop, centred": optim.RMSProp(0.003, centred=True),
    "adam": optim.Adam(0.01),
    "adamw": optim.AdamW(0.01),
    "adam, cosine": optim.Adam(optim.Cosine(0.01, STEPS)),
    "clipped adam": optim.ClipNorm(optim.Adam(0.01), norm=0.5),
    "clipped sgd": optim.ClipNorm(optim.SGD(0.05), norm=0.2),
}
ADAM = OPTIMIZERS["adam"]


def arrays(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """All arrays of a model by name, whether it has a single block or a block per player."""
    blocks = [model.block] if hasattr(model, "block") else model.players.values()
    for block in blocks:
        for entry, array in block.arrays():
            yield entry.name, array


def numbers(
    model: Any,
    x: np.ndarray = X,
    labels: np.ndarray | None = None,
    optimizer: Any = ADAM,
    average: float | None = None,
) -> dict[str, Any]:
    """The reports and the arrays after twelve steps, in hexadecimal."""
    for name, array in arrays(model):
        if name.split(".")[-1] not in STATES:
            seed = [ord(letter) for letter in name]
            array[...] = 0.3 * np.random.default_rng(seed).standard_normal(array.shape)
    chosen = dict.fromkeys(model.players, optimizer) if optimizer else model.optimizers(STEPS)
    trainer = Trainer(model, chosen, optim.MovingAverage(average) if average else None)
    order, noise = np.random.default_rng(3), np.random.default_rng(4)
    steps = []
    for step in range(STEPS):
        rows = order.permutation(len(x))[: 16 if step % 3 else 11]
        of_rows = None if labels is None else labels[rows]
        parts = trainer.step(model.check(x[rows]), noise, of_rows)
        steps.append({name: float(value).hex() for name, value in parts.items()})
    seen = {"training": False, "labels": None if labels is None else labels[:20]}
    evaluated = [
        model.objective(player, model.check(x[:20]), np.random.default_rng(9), **seen).hex()
        for player in model.players
    ]
    weights = {name: array.tobytes().hex() for name, array in arrays(model)}
    (Outcome(trainer) if Outcome else trainer).finish()
    averages = {name: array.tobytes().hex() for name, array in arrays(model)}
    return {"steps": steps, "evaluated": evaluated, "weights": weights, "averages": averages}


def batch_norm(kind: type, **settings: Any) -> Any:
    """A model with stateful and with random layers."""
    first = nn.Network((5,), nn.Dense(5, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.3))
    if kind is VAE:
        second = nn.Network((2,), nn.Dense(2, 8), nn.LayerNorm(8), nn.Tanh(), nn.Dense(8, 5))
        encoder = nn.Network((5,), *first.layers, nn.Dense(8, 4))
        return VAE(encoder, second, "gaussian_fixed", rng=0, **settings)
    generator = nn.Network((2,), nn.Dense(2, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 5))
    discriminator = nn.Network((5,), *first.layers, nn.Dense(8, 1))
    return GAN(generator, discriminator, "hinge", discriminator_steps=2, rng=0, **settings)


def cases(dtype: str) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """The training runs by name."""

    def case(recipe: str, shape: tuple[int, ...] = (5,), **settings: Any) -> Any:
        sizes = {"latent": 2, "hidden": (8, 7), "dtype": dtype, "rng": 0}
        return getattr(sg.models, recipe)(shape, **{**sizes, **settings})

    def of(model: Callable[[], Any], **given: Any) -> Callable[[], dict[str, Any]]:
        return lambda: numbers(model(), **given)

    def build(*args: Any, **settings: Any) -> Callable[[], Any]:
        return functools.partial(case, *args, **settings)

    for name, kind in LIKELIHOODS.items():
        chosen, x = (kind(4), CLASSES) if name == "categorical" else (kind(), X)
        yield f"vae, {name}", of(build("vae", likelihood=chosen), x=x)
    for name, optimizer in OPTIMIZERS.items():
        for recipe in ("vae", "gan"):
            yield f"{recipe}, {name}", of(build(recipe), optimizer=optimizer)
    for settings in ({"warm_up": 7, "beta": 2.0}, {"free_bits": 0.05}):
        yield f"vae, {settings}", of(build("vae", **settings))
    for name in losses.LOSSES:
        for penalty in (None, *losses.PENALTIES):
            yield f"gan, {name}, {penalty}", of(build("gan", loss=name, penalty=penalty))
    for steps in (2, 3):
        settings = {"discriminator_steps": steps, "weight_clip": 0.05}
        yield f"wgan, {steps} steps", of(build("wgan", **settings), average=0.8)
    for recipe in ("vae", "gan"):
        scaler = sg.data.Scaler.standard(X)
        yield f"{recipe}, labels", of(build(recipe, n_labels=3), labels=LABELS)
        yield f"{recipe}, pictures", of(build(recipe, (4, 3, 1)), x=PICTURES, optimizer=None)
        yield f"{recipe}, scaler", of(build(recipe, scaler=scaler), average=0.7)
    for kind in (VAE, GAN):
        make = functools.partial(batch_norm, kind, dtype=dtype)
        yield f"{kind.__name__}, batch norm", of(make, average=0.7)


def found(way: str) -> dict[str, Any]:
    """All numbers of this checkout."""
    with WAYS[way]():
        return {f"{n}, {dtype}": f() for dtype in ("float32", "float64") for n, f in cases(dtype)}


def of_tree(tree: Path, way: str) -> dict[str, Any]:
    """All numbers of a checkout, computed in a separate process."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, __file__, "--way", way]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    numbers_found: dict[str, Any] = json.loads(made.stdout)
    return numbers_found


def main() -> int:
    """Compare both checkouts, and print the differences, a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, nargs="?", help="an earlier checkout")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(found(options.way)))
        return 0
    differing: set[str] = set()
    for way in WAYS:
        old, new = of_tree(options.old.resolve(), way), of_tree(ROOT, way)
        odd = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        count = sum(len(step) for case in old.values() for step in case["steps"])
        print(f"by {way}: {len(old)} trainings, {count:,} reported numbers; {len(odd)} differ")
        print(*(f"  {name}" for name in odd), sep="\n")
        differing |= set(odd)
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
