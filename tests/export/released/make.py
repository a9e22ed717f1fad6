"""Model files of earlier versions, each with what its version gave for it.

No test runs this file: it is a command, run once for each version, from a copy of that version.
What it wrote is kept, because the versions that can write such files are gone. The files of

    0.1.0       the first release, commit 7b48cfe: format 2
    format-3    commit 102c031, between releases: models with a scaler, which 0.1.0 did not have

come from these commands, with NumPy alone:

    git worktree add /tmp/writer 7b48cfe
    SCRATCHGEN_JIT=0 PYTHONPATH=/tmp/writer python tests/export/released/make.py 0.1.0
    git -C /tmp/writer checkout 102c031
    SCRATCHGEN_JIT=0 PYTHONPATH=/tmp/writer python tests/export/released/make.py format-3

Each folder has a file NAME.npz for each model, and one expected.npz, in which are

    NAME.words          JSON: str(model), parameter_count, steps_trained, training_log
    NAME.x              examples (8, *shape), and .labels (8,) where the model joins them
    NAME.samples        sample(4, rng=1)
    NAME.z, .decoded    latents (4, Z) and decode(z)
    NAME.encoded, .reconstructed, .elbo         of a VAE: encode(x), reconstruct(x), elbo(x, rng=2)
    NAME.score                                  of a GAN: score(x)

where samples and decode take the first four labels, and all else takes all. The arrays of a model
are drawn and trained for a few steps, on examples that mean nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import scratchgen as sg
from scratchgen.distributions import (
    LIKELIHOODS,
    Categorical,
    FixedGaussian,
    Gaussian,
    SharedGaussian,
)
from scratchgen.losses import LOSSES, PENALTIES, R1, GradientPenalty
from scratchgen.models import GAN, VAE, beta_vae, gan, lsgan, vae, wgan, wgan_gp
from scratchgen.nn import (
    ELU,
    GELU,
    INITIALISERS,
    LAYERS,
    BatchNorm,
    Constant,
    Dense,
    Dropout,
    FanInUniform,
    Flatten,
    GaussianNoise,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    JoinLabels,
    JoinParameters,
    LayerNorm,
    LeakyReLU,
    Maxout,
    Network,
    Normal,
    Orthogonal,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    Tied,
)
from scratchgen.optim import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Chain,
    ClipNorm,
    Cosine,
    LinearDecay,
    Momentum,
    Nesterov,
    RMSProp,
    StepDecay,
    WarmUp,
)
from scratchgen.optim import schedules as rates

HERE = Path(__file__).parent
EXAMPLES = 8


class Case(NamedTuple):
    """A model that is not yet trained, its examples, and how `fit` is called: once for each."""

    model: Any
    x: Any
    calls: tuple[dict[str, Any], ...] = ()
    labels: Any = None


def shares(*shape: int, dtype: str = "float32") -> Any:
    """Numbers in [0, 1), (8, *shape)."""
    return np.random.default_rng(3).random((EXAMPLES, *shape)).astype(dtype)


def points(*shape: int, dtype: str = "float32") -> Any:
    """Numbers around 0, (8, *shape)."""
    return np.random.default_rng(4).standard_normal((EXAMPLES, *shape)).astype(dtype)


def how(**changed: Any) -> dict[str, Any]:
    """Arguments of `fit`: two epochs of two steps each, and what is changed."""
    return {"epochs": 2, "batch_size": 4, "seed": 5, **changed}


def small(**settings: Any) -> dict[str, Any]:
    """Settings of a recipe for a model of a few numbers."""
    return {"latent": 2, "hidden": (4,), "rng": 0, **settings}


def of_recipes() -> dict[str, Case]:
    """Every recipe, with penalties, clips, steps, warm-up, free bits, labels and both dtypes."""
    labels = np.arange(EXAMPLES) % 3
    falling = Adam(LinearDecay(2e-3, steps=10), b1=0.5, b2=0.99, eps=1e-7)
    return {
        "vae": Case(vae((2, 2, 1), **small()), shares(2, 2, 1), (how(),)),
        "beta_vae": Case(
            beta_vae((3,), **small(hidden=(4, 3), beta=2.5, warm_up=3, free_bits=0.25)),
            points(3),
            (how(optimizer=SGD(rates.Constant(1e-3, steps=7))),),
        ),
        "gan": Case(gan((2, 2, 1), **small()), shares(2, 2, 1), (how(),)),
        "lsgan": Case(
            lsgan((2,), **small(output="tanh", instance_noise=0.25)),
            np.clip(points(2), -1, 1),
            (how(optimizer={"generator": falling, "discriminator": Momentum(1e-3, 0.8)}),),
        ),
        "wgan": Case(
            wgan((2,), **small(weight_clip=0.05, discriminator_steps=3)),
            points(2),
            (how(epochs=3),),
        ),
        "wgan_gp": Case(
            wgan_gp((2,), **small(penalty=GradientPenalty(5, 0.5), discriminator_steps=2)),
            points(2),
            (how(optimizer=ClipNorm(Adam(WarmUp(1e-3, steps=3)), norm=0.5)),),
        ),
        "vae with labels": Case(
            vae((2,), **small(n_labels=3, dtype="float64")),
            points(2, dtype="float64"),
            (how(),),
            labels,
        ),
        "gan with labels": Case(gan((2,), **small(n_labels=3)), points(2), (how(),), labels),
    }


def of_parts() -> dict[str, Case]:
    """The likelihoods and the games that no recipe has by itself, and how a model was trained."""
    classes = np.random.default_rng(6).integers(3, size=(EXAMPLES, 2, 1, 1)).astype("float32")
    chain = Chain(WarmUp(1e-3, 2), StepDecay(1e-3, every=1, factor=0.5))
    centred = RMSProp(lambda step: 1e-3 / (step + 1), keep=0.8, eps=1e-6, centred=True)
    return {
        "categorical": Case(
            vae((2, 1, 1), **small(likelihood=Categorical(3))),
            classes,
            (how(optimizer=AdamW(Cosine(1e-3, steps=9, least=1e-4), weight_decay=0.1)),),
        ),
        "gaussian_fixed": Case(
            vae((3,), **small(likelihood=FixedGaussian(0.1))),
            points(3),
            (how(optimizer=Nesterov(StepDecay(1e-3, every=2, factor=0.5), 0.7)),),
        ),
        "mse": Case(
            vae((3,), **small(likelihood="mse")),
            points(3),
            (how(optimizer=centred),),
        ),
        "gaussian_shared": Case(
            vae((2, 2, 1), **small(likelihood=SharedGaussian(1e-3))),
            shares(2, 2, 1),
            (how(optimizer=Adam(chain)),),
        ),
        "gaussian": Case(
            vae((3,), **small(likelihood=Gaussian(0.25), dtype="float64")),
            points(3, dtype="float64"),
            (how(average=0.5, validation=points(3, dtype="float64")[:4]),),
        ),
        "minimax": Case(gan((2,), **small(loss="minimax")), points(2), (how(average=0.75),)),
        "hinge": Case(
            gan((2,), **small(loss="hinge", penalty=R1(0.5), dtype="float64")),
            points(2, dtype="float64"),
            (how(),),
        ),
        "never trained": Case(vae((2,), **small(hidden=())), points(2)),
        "trained twice": Case(
            gan((2,), **small(discriminator_steps=3)),
            points(2),
            (how(epochs=1, batch_size=3), how(seed=6, optimizer=ClipNorm(SGD(Cosine(1e-3, 5))))),
        ),
    }


def of_layers() -> dict[str, Case]:
    """Every layer, layers that are used twice or shared, and initialisers given as objects."""
    labels = np.arange(EXAMPLES) % 3
    first, twice, bend = Dense(4, 5, Orthogonal(0.5), Constant(0.1)), Dense(5, 5), ReLU()
    layered = VAE(
        Network(
            (2, 2, 1),
            Flatten(),
            GaussianNoise(0.1),
            first,
            BatchNorm(5, keep=0.5, eps=1e-3),
            ELU(0.7),
            Dropout(0.25),
            Residual(Network((5,), Dense(5, 5, "fan_in_uniform"), LayerNorm(5, 1e-4), SiLU())),
            twice,
            GELU(),
            twice,
            Dense(5, 2, FanInUniform(), FanInUniform()),
            Softplus(),
            JoinParameters(2, Normal(0.5)),
        ),
        Network(
            (2,),
            Dense(2, 6, "normal", bias=None),
            Maxout(3),
            LeakyReLU(0.1),
            Dense(2, 5, GlorotUniform(), "ones"),
            Tanh(),
            twice,
            Residual(Sigmoid()),
            Tied(first, Constant(-0.2)),
            Reshape((2, 2, 1)),
        ),
        "bernoulli",
        rng=0,
    )
    judge = Dense(4, 3, "he_uniform")
    block = Network((4,), Dense(4, 4, HeNormal(), bias=Normal(0.1)), bend)
    game = GAN(
        Network(
            (3,),
            JoinLabels(3, 1, Normal(0.5)),
            block,
            BatchNorm(4),
            block,
            Residual(block),
            Dense(4, 2, HeUniform(), "zeros"),
        ),
        Network(
            (2,),
            JoinLabels(3, 2),
            Dense(4, 4, GlorotNormal()),
            bend,
            Dense(4, 4, "orthogonal"),
            bend,
            LayerNorm(4),
            judge,
            Tied(judge, bias=None),
            Dense(4, 1, "glorot_normal"),
        ),
        "non_saturating",
        discriminator_steps=2,
        dtype="float64",
        rng=0,
    )
    return {
        "layers of a vae": Case(layered, shares(2, 2, 1), (how(epochs=4),)),
        "layers of a gan": Case(game, points(2, dtype="float64"), (how(epochs=4),), labels),
    }


def of_0_1_0() -> dict[str, Case]:
    """All that version 0.1.0 can write, by the names of the files."""
    return of_recipes() | of_parts() | of_layers()


def of_format_3() -> dict[str, Case]:
    """Models with each kind of scaler, and what a training log could not hold in 0.1.0."""
    x = np.array([1.7, 37000, -4]) + np.array([0.1, 1400, 0.01]) * points(3, dtype="float64")
    scaler = sg.data.Scaler
    standard, min_max = scaler.standard(x), scaler.min_max(x)
    own = scaler([1.75, 37500, -4], [0.2, 4000, 0.02])
    once = (how(),)
    cases = {
        "vae standard": Case(vae((3,), **small(scaler=standard)), x, once),
        "vae min_max": Case(
            vae((3,), **small(scaler=min_max, likelihood="bernoulli", dtype="float64")),
            x,
            (how(batch_size=3, even_batches=False, average=0.5),),
        ),
        "vae own": Case(vae((3,), **small(scaler=own, likelihood="gaussian_shared")), x, once),
        "gan standard": Case(gan((3,), **small(scaler=standard)), x, once),
        "gan min_max": Case(wgan_gp((3,), **small(scaler=min_max, output="sigmoid")), x, once),
        "gan own": Case(lsgan((3,), **small(scaler=own, dtype="float64")), x, once),
    }
    cases["gan own"].model.training_log.append({"by hand": [1, 2.5, "three", None, {"four": True}]})
    return cases


def expect_all(folder: Path) -> None:
    """Every name that a file may hold in version 0.1.0 is in one of the folder's files."""
    written = "".join(
        str(np.load(file)["config"]) for file in folder.glob("*.npz") if file.stem != "expected"
    )
    kinds = {type(initialiser).__name__ for initialiser in INITIALISERS.values()}
    logged = {kind.__name__ for kind in (*OPTIMIZERS.values(), *rates.SCHEDULES.values())}
    names = {*LAYERS, *LIKELIHOODS, *LOSSES, *PENALTIES, *INITIALISERS, *kinds, *logged}
    names |= {"WarmUp", "Chain", "ClipNorm", "function", "average", "again", "float64"}
    if missing := sorted(name for name in names if f'"{name}"' not in written):
        sys.exit(f"no file holds {', '.join(missing)}")


FOLDERS = {"0.1.0": of_0_1_0, "format-3": of_format_3}


def make(name: str, case: Case, folder: Path) -> dict[str, Any]:
    """Train the model, write its file, and return what is expected of it, by name."""
    model, x, labels = case.model, case.x, case.labels
    for call in case.calls:
        sg.fit(model, x, labels=labels, **call)
    if len(case.calls) > 1:
        model.training_log[-1]["data"] = "ring"  # as the command line does
    sg.save(model, folder / f"{name}.npz")
    log = model.training_log
    z = np.random.default_rng(7).standard_normal((4, model.latent)).astype(model.dtype)
    few = None if labels is None else labels[:4]
    words = {
        "str": str(model),
        "parameter_count": model.parameter_count(),
        "steps_trained": sum(record.get("steps", 0) for record in log),
        "training_log": log,
    }
    expected = {
        "words": np.array(json.dumps(words)),
        "x": x,
        "samples": model.sample(4, rng=1, labels=few),
        "z": z,
        "decoded": model.decode(z, labels=few),
    }
    if labels is not None:
        expected["labels"] = labels
    if isinstance(model, VAE):
        expected["encoded"] = model.encode(x, labels=labels)
        expected["reconstructed"] = model.reconstruct(x, labels=labels)
        expected["elbo"] = model.elbo(x, rng=2, labels=labels)
    else:
        expected["score"] = model.score(x, labels=labels)
    return {f"{name}.{key}": value for key, value in expected.items()}


def main() -> None:
    given = sys.argv[1:]
    if len(given) != 1 or given[0] not in FOLDERS:
        sys.exit(f"usage: make.py {' | '.join(FOLDERS)}")
    folder = HERE / given[0]
    folder.mkdir(exist_ok=True)
    expected: dict[str, Any] = {}
    for name, case in FOLDERS[given[0]]().items():
        expected |= make(name.replace(" ", "_"), case, folder)
    np.savez_compressed(folder / "expected.npz", **expected)
    if given[0] == "0.1.0":
        expect_all(folder)


if __name__ == "__main__":
    main()
