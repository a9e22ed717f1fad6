"""Adapters for a pair of NumPy functions to each checker: ours, PyTorch's, JAX's, and a plain one.

    ours(subject)         engine.examine on a CachedPair: its verdict, and the first hint
    torch_slow, torch_fast    torch.autograd.gradcheck, with its defaults, of a Function
    jax_check             jax.test_util.check_grads(order=1, modes=["rev"]) of a custom_vjp
    central               central differences at h = 1e-5, entry by entry, for one random cotangent

Every answer is "found", "passed" or "unsure" (only ours is ever unsure). An exception of the pair
counts as found.
"""

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from proof_subjects import CURRENT

STEP, ALLOWED = 1e-5, 1e-5  # of `central`: |a - n| / max(|a|, |n|) in the norm of each block


@dataclass(frozen=True)
class Answer:
    """A checker's verdict on a pair; only scratchgen fills in `cause` and `contracts`."""

    said: str
    cause: str = ""
    text: str = ""
    contracts: tuple[str, ...] = ()
    block: str = ""


def ours(subject: Any, seed: int = 0) -> Answer:
    """Our checker: `check_cached`, then `check_second_order` for a second order."""
    answer = of_pair(subject, seed)
    if answer.said == "found" or subject.layer is None or not CURRENT:
        return answer
    from scratchgen.gradcheck.checks import check_second_order

    with CURRENT[0].applied():
        report = check_second_order(subject.layer, subject.args[0].shape, seed=seed)
    failed = report.verdict == "FAIL"
    return Answer("found", text="check_second_order") if failed else answer


def of_pair(subject: Any, seed: int = 0) -> Answer:
    """Our checker by `check_cached`."""
    from scratchgen.gradcheck.engine import examine
    from scratchgen.gradcheck.pairs.budget import Budget
    from scratchgen.gradcheck.pairs.function_pairs import CachedPair
    from scratchgen.gradcheck.results import FAIL, PASS

    pair = CachedPair(subject.forward, subject.backward, subject.args, subject.kind)
    try:
        case = examine(pair, subject.label, seed, Budget(30.0))
    except Exception as problem:  # a fault of ours, never of the pair: counted as not found
        return Answer("unsure", text=f"our code raised {type(problem).__name__}: {problem}")
    said = {PASS: "passed", FAIL: "found"}.get(case.verdict, "unsure")
    broken = tuple(finding.contract for finding in case.findings if finding.verdict == FAIL)
    blocks = [block for block in case.blocks if block.verdict == FAIL]
    hint = next((block.hints[0] for block in blocks if block.hints), None)
    block = next((block.name for block in blocks if block.hints), blocks[0].name if blocks else "")
    reasons = [
        f"{block.name}: {block.reason}"
        for block in case.blocks
        if block.verdict not in (PASS, FAIL)
    ]
    reasons += [
        f"{finding.contract}: {finding.text}"
        for finding in case.findings
        if finding.verdict not in (PASS, FAIL, "NOTE")
    ]
    text = hint.text if hint else "; ".join(reasons)
    return Answer(said, hint.cause if hint else "", text, broken, block)


def central(subject: Any, seed: int = 0) -> Answer:
    """A fixed step and a fixed tolerance, nothing else."""
    rng = np.random.default_rng(seed)
    try:
        w = [rng.standard_normal(y.shape) for y in subject.outputs(*subject.args)]
        _, cache = subject.forward(*[array.copy() for array in subject.args])
        analytic = [
            np.array(g) for g in subject.call_backward([cotangent.copy() for cotangent in w], cache)
        ]
        for i, block in enumerate(subject.args):
            numeric = np.zeros(block.shape)
            for place in np.ndindex(block.shape):
                ends = []
                for step in (STEP, -STEP):
                    moved = [array.copy() for array in subject.args]
                    moved[i][place] += step
                    ys = subject.outputs(*moved)
                    ends.append(sum(float((a * b).sum()) for a, b in zip(w, ys, strict=True)))
                numeric[place] = (ends[0] - ends[1]) / (2 * STEP)
            if analytic[i].shape != block.shape:
                return Answer("found", text="shape")
            size = max(np.linalg.norm(analytic[i]), np.linalg.norm(numeric))
            off = np.linalg.norm(analytic[i] - numeric)
            if not off <= ALLOWED * max(size, 1e-3):
                return Answer("found", text=f"{subject.names[i]}: {off / max(size, 1e-3):.1e}")
    except Exception as problem:
        return Answer("found", text=f"{type(problem).__name__}: {problem}")
    return Answer("passed")


@functools.cache
def has(name: str) -> bool:
    """Whether a peer can be imported."""
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def torch_slow(subject: Any) -> Answer:
    """torch.autograd.gradcheck(f, args) with default settings."""
    return _torch(subject, fast=False)


def torch_fast(subject: Any) -> Answer:
    """torch.autograd.gradcheck(f, args, fast_mode=True)."""
    return _torch(subject, fast=True)


def torch_function(subject: Any) -> Any:
    """The pair as a torch function of tensors."""
    import torch

    class Pair(torch.autograd.Function):
        """forward and backward in NumPy."""

        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            arrays = [tensor.detach().numpy() for tensor in tensors]
            y, ctx.cache = subject.forward(*arrays)
            several = isinstance(y, tuple)
            # copies: a Function must not return what it keeps, or was given
            found = tuple(torch.from_numpy(np.array(array)) for array in (y if several else (y,)))
            return found if several else found[0]

        @staticmethod
        def backward(ctx: Any, *dys: Any) -> Any:
            found = subject.call_backward([tensor.numpy() for tensor in dys], ctx.cache)
            return tuple(None if g is None else torch.from_numpy(np.array(g)) for g in found)

    return Pair.apply


def _torch(subject: Any, fast: bool) -> Answer:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    tensors = [torch.from_numpy(array.copy()).requires_grad_() for array in subject.args]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            torch.autograd.gradcheck(torch_function(subject), tensors, fast_mode=fast)
    except Exception as problem:
        return Answer("found", text=f"{type(problem).__name__}: {problem}"[:200])
    return Answer("passed")


def jax_check(subject: Any) -> Answer:
    """jax.test_util.check_grads of a custom_vjp around pure_callback, in float64."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax import test_util

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            args = [jax.numpy.asarray(array) for array in subject.args]
            test_util.check_grads(jax_function(subject), args, order=1, modes=["rev"])
    except Exception as problem:
        return Answer("found", text=f"{type(problem).__name__}: {problem}"[:200])
    return Answer("passed")


def jax_function(subject: Any) -> Any:
    """The pair as a jax function, with the arguments as residuals, as purity requires."""
    import jax

    outputs = subject.outputs(*subject.args)
    y_like = tuple(jax.ShapeDtypeStruct(y.shape, np.float64) for y in outputs)
    x_like = tuple(jax.ShapeDtypeStruct(x.shape, np.float64) for x in subject.args)

    def host_forward(*args: Any) -> Any:
        return tuple(np.array(y) for y in subject.outputs(*[np.array(array) for array in args]))

    def host_backward(args: Any, dys: Any) -> Any:
        _, cache = subject.forward(*[np.array(array) for array in args])
        found = subject.call_backward([np.array(cotangent) for cotangent in dys], cache)
        return tuple(np.array(g, np.float64) for g in found)

    @jax.custom_vjp
    def f(*args: Any) -> Any:
        return jax.pure_callback(host_forward, y_like, *args)

    def forward(*args: Any) -> Any:
        return f(*args), args

    def backward(args: Any, dys: Any) -> Any:
        return jax.pure_callback(host_backward, x_like, args, dys)

    f.defvjp(forward, backward)
    return f


PEERS = {"torch slow": torch_slow, "torch fast": torch_fast, "jax": jax_check, "central": central}
NEEDS = {"torch slow": "torch", "torch fast": "torch", "jax": "jax", "central": "numpy"}
