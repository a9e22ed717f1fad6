"""What an optimizer must keep besides its formula: what it is given, and what it remembers.

Each question returns what is wrong, in words, or "".
"""

import numpy as np

from ..measuring.passes import OutOfBudget
from ..pairs.exception_texts import exception_text
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, Finding
from .textbook_updates import published
from .trajectories import Budgeted, Walk


def contracts(optimizer: Budgeted, walk: Walk) -> list[Finding]:
    """What is asked besides the path, each a finding."""
    asked = {
        "pure": _leaves_the_gradient,
        "constants": _stays_the_same,
        "stale": _begins_afresh,
        "alias": _keeps_no_gradient,
        "layout": _takes_any_layout,
        "dtype": _keeps_the_dtype,
    }
    found: list[Finding] = []
    for contract, question in asked.items():
        try:
            text = question(optimizer, walk)
        except OutOfBudget as problem:
            return [*found, stopped(problem, "update")]
        except (Exception, SystemExit) as problem:
            text = exception_text(problem, "update")
        found.append(Finding(contract, FAIL if text else PASS, text))
    return [*found, _refuses(optimizer, walk)]


def stopped(problem: BaseException, stage: str) -> Finding:
    """An exception on the way, as a finding; a budget that is spent is no fault."""
    if isinstance(problem, OutOfBudget):
        return Finding("budget", INCONCLUSIVE, problem.text)
    return Finding("raises", FAIL, exception_text(problem, stage))


def _leaves_the_gradient(optimizer: Budgeted, walk: Walk) -> str:
    theta = walk.theta.copy()
    memory = optimizer.memory(theta)
    for g in walk.gradients:
        given = g.copy()
        optimizer.update(theta, given, memory)
        if given.tobytes() != g.tobytes():
            return "update changes the gradient that it is given"
    return ""


def _stays_the_same(optimizer: Budgeted, walk: Walk) -> str:
    inner = optimizer.inner
    before = repr(vars(inner)) if hasattr(inner, "__dict__") else repr(inner)
    walk.taken(optimizer)
    after = repr(vars(inner)) if hasattr(inner, "__dict__") else repr(inner)
    return "" if after == before else "update changes the optimizer, not the memory"


def _begins_afresh(optimizer: Budgeted, walk: Walk) -> str:
    """Two vectors with two memories, in turns, walk as each by itself."""
    other = Walk(-walk.theta[::-1] + 1, walk.gradients[::-1, ::-1])
    alone = walk.taken(optimizer), other.taken(optimizer)
    thetas = walk.theta.copy(), other.theta.copy()
    memories = [optimizer.memory(theta) for theta in thetas]
    for both in zip(walk.gradients, other.gradients, strict=True):
        for theta, g, memory in zip(thetas, both, memories, strict=True):
            optimizer.update(theta, g.copy(), memory)
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(alone, thetas, strict=True))
    return "" if same else "two vectors with two memories are not independent of each other"


def _keeps_no_gradient(optimizer: Budgeted, walk: Walk) -> str:
    theta, buffer = walk.theta.copy(), np.empty_like(walk.theta)
    memory = optimizer.memory(theta)
    for g in walk.gradients:
        buffer[:] = g
        optimizer.update(theta, buffer, memory)
        buffer[:] = np.nan
    same = np.array_equal(theta, walk.taken(optimizer), equal_nan=True)
    return "" if same else "it keeps the gradient's array, which its caller may write into"


def _takes_any_layout(optimizer: Budgeted, walk: Walk) -> str:
    wide = np.repeat(walk.theta, 2)
    theta = wide[::2]
    memory = optimizer.memory(theta)
    for g in walk.gradients:
        optimizer.update(theta, np.repeat(g, 3)[::3], memory)
    tolerance = 100 * np.finfo(theta.dtype).eps
    same = np.allclose(theta, walk.taken(optimizer), rtol=tolerance, atol=tolerance, equal_nan=True)
    if not np.array_equal(wide[1::2], walk.theta):
        return "update writes between the numbers of a theta with strides"
    return "" if same else "a theta or gradient with strides goes elsewhere"


def _keeps_the_dtype(optimizer: Budgeted, walk: Walk) -> str:
    theta = walk.theta.astype(np.float32)
    memory = optimizer.memory(theta)
    optimizer.update(theta, walk.gradients[0].astype(np.float32), memory)
    held = vars(memory).values() if hasattr(memory, "__dict__") else ()
    wide = [one.dtype for one in held if isinstance(one, np.ndarray) and one.dtype == np.float64]
    return "what is remembered of a float32 vector is float64" if wide else ""


def _refuses(optimizer: Budgeted, walk: Walk) -> Finding:
    """Whether the memory of another vector is refused: ours must, others may."""
    try:
        memory = optimizer.memory(walk.theta.copy())
        optimizer.update(walk.theta.copy(), walk.gradients[0].copy(), memory)
    except OutOfBudget as problem:
        return stopped(problem, "update")
    except (Exception, SystemExit):
        return Finding("memory", PASS)
    text = "it takes the memory of another vector, and goes on with its moments"
    return Finding("memory", FAIL if published(optimizer.inner) is not None else NOTE, text)
