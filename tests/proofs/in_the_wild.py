"""What does the checker find in a published library? numpy-ml 0.1.2 from PyPI, unchanged.

    python -m venv wild && wild/bin/pip install numpy-ml==0.1.2 scipy && wild/bin/pip install -e .
    wild/bin/python tests/proofs/in_the_wild.py

numpy-ml (David Bourgin, 2019) is a careful, well documented collection, with its own tests against
PyTorch. It needs `collections.Hashable`, which Python 3.10 took away, so that is set before the
import; nothing else is changed. Each pair below is what a user would write around a public object:
a layer gets fresh memory for each pass and its parameters as arguments; a loss is its `loss` and
its `grad`, in the order of gradients that its docstring states. `_bwd2` is what the library's own
WGAN-GP calls for its gradient penalty.

In fairness: numpy-ml's own WGAN-GP takes the two gradients of its critic loss in the other order,
which undoes their signs, and its critic is made of ReLUs, for which `_bwd2` is right. Who uses the
loss as documented, or a critic with tanh, gets wrong gradients.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes

import collections
import collections.abc
import copy
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from shared import arguments, heading, peers_missing, table, write

from scratchgen.gradcheck import check_cached, check_pair

collections.Hashable = collections.abc.Hashable  # type: ignore[attr-defined]

Array = np.ndarray
CHECKS: dict[str, Callable[[], Any]] = {}
SHOWN = ("WGAN-GP loss, critic", "Dropout around a dense layer", "dense tanh, second order")


def main() -> None:
    args = arguments(__doc__).parse_args()
    if missing := peers_missing("numpy-ml"):
        print(f"{missing[0]} is not installed here; see the top of this file")
        return
    warnings.simplefilter("ignore")  # numpy-ml misses gym and matplotlib, which it does not need
    enter(np.random.default_rng(args.seed))
    heading("numpy-ml 0.1.2, checked from outside", "numpy-ml", "scipy")
    reports = {name: run() for name, run in CHECKS.items()}
    for name in SHOWN:
        print(f"--- {name}\n{reports[name]}\n")
    rows = [(report.verdict, name, said(report)) for name, report in reports.items()]
    table([("verdict", "what", "in short"), *sorted(rows)], "<<<")
    count = Counter(verdict for verdict, _, _ in rows)
    print("\n" + ", ".join(f"{n} {verdict}" for verdict, n in count.most_common()))
    write(args.out, {"rows": rows, "shown": {name: str(reports[name]) for name in SHOWN}})


def said(report: Any) -> str:
    """Why a case is not PASS: the first hint of each block, and the failed contracts."""
    parts = []
    for case in report.cases:
        for block in case.blocks:
            if block.verdict != "PASS":
                hint = block.hints[0].text if block.hints else block.reason
                parts.append(f"d{block.name}: {hint}")
        parts += [
            f"{finding.contract}: {finding.text}"
            for finding in case.findings
            if finding.verdict == "FAIL"
        ]
        parts += [
            f"{finding.contract}: {finding.text}"
            for finding in case.findings
            if finding.verdict == "INCONCLUSIVE"
        ]
    return "; ".join(textwrap.shorten(part, 90, placeholder=" ...") for part in parts[:3])


def enter(rng: np.random.Generator) -> None:
    """Fill the table of checks."""
    enter_activations(rng)
    enter_losses(rng)
    enter_layers(rng)
    enter_second_order(rng)


def enter_activations(rng: np.random.Generator) -> None:
    """Each activation: `fn` with `grad`, and `grad` with `grad2`."""
    from numpy_ml.neural_nets import activations

    names = ("Sigmoid", "ReLU", "LeakyReLU", "Tanh", "ELU", "SELU", "SoftPlus", "HardSigmoid",
             "Exponential")  # fmt: skip
    x = rng.uniform(0.2, 1.6, (3, 4)) * rng.choice([-1, 1], (3, 4))
    for name in names:
        activation = getattr(activations, name)()
        CHECKS[f"{name}.grad"] = lambda activation=activation: check_pair(
            activation.fn, lambda dy, z: dy * activation.grad(z), (x,)
        )
        CHECKS[f"{name}.grad2"] = lambda activation=activation: check_pair(
            activation.grad, lambda dy, z: dy * activation.grad2(z), (x,)
        )


def enter_losses(rng: np.random.Generator) -> None:
    """Each loss: `loss` with `grad`."""
    from numpy_ml.neural_nets import activations, losses

    fake, real = rng.standard_normal(5), rng.standard_normal(5)
    slope = rng.standard_normal((5, 3))
    wgan = losses.WGAN_GPLoss(lambda_=10)

    def critic(y_fake: Array, y_real: Array, gradient: Array) -> float:
        return wgan.loss(y_fake, "C", y_real, gradient)

    def critic_gradients(dy: Array, y_fake: Array, y_real: Array, gradient: Array) -> Any:
        return [dy * part for part in wgan.grad(y_fake, "C", y_real, gradient)]

    CHECKS[SHOWN[0]] = lambda: check_pair(critic, critic_gradients, (fake, real, slope))
    CHECKS["WGAN-GP loss, generator"] = lambda: check_pair(
        lambda y_fake: wgan.loss(y_fake, "G"),
        lambda dy, y_fake: dy * wgan.grad(y_fake, "G"),
        (fake,),
    )
    y, z, tanh = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), activations.Tanh()
    CHECKS["SquaredError of tanh"] = lambda: check_pair(
        lambda z: losses.SquaredError.loss(y, tanh.fn(z)),
        lambda dy, z: dy * losses.SquaredError.grad(y, tanh.fn(z), z, tanh),
        (z,),
    )
    hot = np.eye(3)[rng.integers(3, size=4)]

    def softmax(z: Array) -> Array:
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    CHECKS["CrossEntropy of softmax"] = lambda: check_pair(
        lambda z: losses.CrossEntropy.loss(hot, softmax(z)),
        lambda dy, z: dy * losses.CrossEntropy.grad(hot, softmax(z)),
        (z,),
    )
    shares, picture = rng.uniform(0.1, 0.9, (4, 3)), rng.uniform(0, 1, (4, 3))
    mean, log_var = rng.standard_normal((4, 2)), rng.standard_normal((4, 2))

    def elbo_gradients(dy: Array, y_pred: Array, t_mean: Array, t_log_var: Array) -> Any:
        d_pred, d_log_var, d_mean = losses.VAELoss.grad(picture, y_pred, t_mean, t_log_var)
        return dy * d_pred, dy * d_mean, dy * d_log_var

    CHECKS["VAELoss"] = lambda: check_pair(
        lambda y_pred, t_mean, t_log_var: losses.VAELoss.loss(picture, y_pred, t_mean, t_log_var),
        elbo_gradients,
        (shares, mean, log_var),
    )


def enter_layers(rng: np.random.Generator) -> None:
    """Layers, with fresh memory for each pass."""
    from numpy_ml.neural_nets import layers
    from numpy_ml.neural_nets.wrappers import Dropout

    draw = rng.standard_normal
    np.random.seed(0)  # noqa: NPY002 - numpy-ml draws its weights from there
    dense = layers.FullyConnected(4, act_fn="Tanh")
    enter_layer("dense tanh", dense, draw((3, 5)))
    enter_layer(SHOWN[1], Dropout(layers.FullyConnected(4), p=0.4), draw((3, 5)))
    enter_layer("Softmax", layers.Softmax(), draw((3, 5)))
    enter_layer("BatchNorm1D", layers.BatchNorm1D(), draw((6, 3)))
    enter_layer("BatchNorm2D", layers.BatchNorm2D(), draw((2, 3, 4, 3)))
    enter_layer("LayerNorm1D", layers.LayerNorm1D(), draw((3, 5)))
    enter_layer("LayerNorm2D", layers.LayerNorm2D(), draw((2, 3, 4, 3)))
    enter_layer("Conv1D", layers.Conv1D(2, 3, pad=1, stride=2), draw((2, 8, 3)))
    enter_layer("Conv2D", layers.Conv2D(2, (3, 2), pad=1, stride=2), draw((2, 5, 6, 3)))
    enter_layer("Deconv2D", layers.Deconv2D(2, (3, 3), stride=2), draw((2, 3, 3, 2)))
    enter_layer("Pool2D max", layers.Pool2D((2, 2), stride=2), draw((2, 4, 6, 2)))
    enter_layer("Pool2D max, pad 1", layers.Pool2D((2, 2), stride=2, pad=1), draw((2, 4, 6, 2)))
    enter_layer(
        "Pool2D average, pad 1", layers.Pool2D((2, 2), 2, 1, mode="average"), draw((2, 4, 6, 2))
    )
    enter_layer("RNNCell, one step", layers.RNNCell(3), draw((2, 4)))
    enter_layer("Add, 3 inputs", layers.Add("Tanh"), [draw((3, 4)) for _ in range(3)])
    enter_layer("Multiply, 3 inputs", layers.Multiply(), [draw((3, 4)) for _ in range(3)])
    enter_embedding("Embedding, pooled sum", layers.Embedding(3, 6, pool="sum"))


def enter_layer(name: str, layer: Any, x: Any) -> None:
    """A layer as a function of x and of its parameters, which a first pass initialises."""
    layer.forward(x)
    layer.flush_gradients()
    if "dLdA_accumulator" in layer.derived_variables:  # which it flushes to [], and wants None
        layer.derived_variables["dLdA_accumulator"] = None
    state = ("running_mean", "running_var")
    p = {k: np.array(v) for k, v in layer.parameters.items() if k not in state}

    def forward(x: Any, p: dict[str, Array]) -> Any:
        mine = copy.deepcopy(layer)
        mine.parameters.update({k: np.array(v) for k, v in p.items()})
        return mine.forward(x), mine

    def backward(dy: Array, mine: Any) -> Any:
        mine = copy.deepcopy(mine)  # by design its gradients add up from call to call
        dx = mine.backward(dy)
        return dx, {k: mine.gradients[k] for k in p}

    CHECKS[name] = lambda: check_cached(forward, backward, (x, p))


def enter_embedding(name: str, layer: Any) -> None:
    """An embedding, with sentences that repeat a word."""
    words = np.array([[0, 1, 1], [2, 3, 2]])

    def forward(words: Array, w: Array) -> Any:
        mine = copy.deepcopy(layer)
        mine.parameters["W"] = np.array(w)
        return mine.forward(words), mine

    def backward(dy: Array, mine: Any) -> Any:
        mine = copy.deepcopy(mine)
        mine.backward(dy)
        return None, mine.gradients["W"]

    CHECKS[name] = lambda: check_cached(forward, backward, (words, layer.parameters["W"]))


def enter_second_order(rng: np.random.Generator) -> None:
    """dX of a dense layer as a function of dY, W and b, which `_bwd2` differentiates."""
    from numpy_ml.neural_nets import layers

    x, dy = rng.standard_normal((3, 5)), rng.standard_normal((3, 4))
    for name, act in ((SHOWN[2], "Tanh"), ("dense ReLU, second order", "ReLU")):
        layer = layers.FullyConnected(4, act_fn=act)
        layer.forward(x)

        def dx_of(dy: Array, w: Array, b: Array, layer: Any = layer) -> Array:
            layer.parameters = {"W": w, "b": b}
            return layer._bwd(dy, x)[0]

        def vjp(u: Array, dy: Array, w: Array, b: Array, layer: Any = layer) -> Any:
            layer.parameters = {"W": w, "b": b}
            return layer._bwd2(u, x, dy)

        w, b = np.array(layer.parameters["W"]), rng.standard_normal((1, 4))
        CHECKS[name] = lambda dx_of=dx_of, vjp=vjp, w=w, b=b: check_pair(dx_of, vjp, (dy, w, b))


if __name__ == "__main__":
    main()
