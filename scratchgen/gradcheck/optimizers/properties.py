"""What an optimizer must keep besides its formula: what it is given, and what it remembers.

Each question returns what is wrong, in words, or "".
"""

import numpy as np

from ..measuring.passes import OutOfBudget
from ..pairs.exception_texts import exception_text
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, Finding
from .textbook_updates import published
from .trajectories import Budgeted, Inputs


def property_findings(optimizer: Budgeted, inputs: Inputs) -> list[Finding]:
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
            text = question(optimizer, inputs)
        except OutOfBudget as problem:
            return [*found, exception_finding(problem, "update")]
        except (Exception, SystemExit) as problem:
            text = exception_text(problem, "update")
        found.append(Finding(contract, FAIL if text else PASS, text))
    return [*found, _refuses(optimizer, inputs)]


def exception_finding(problem: BaseException, stage: str) -> Finding:
    """An exception on the way, as a finding; a budget that is spent is no fault."""
    if isinstance(problem, OutOfBudget):
        return Finding("budget", INCONCLUSIVE, problem.text)
    return Finding("raises", FAIL, exception_text(problem, stage))


def _leaves_the_gradient(optimizer: Budgeted, inputs: Inputs) -> str:
    theta = inputs.theta.copy()
    memory = optimizer.memory(theta)
    for g in inputs.gradients:
        given = g.copy()
        optimizer.update(theta, given, memory)
        if given.tobytes() != g.tobytes():
            return "update changes the gradient that it is given"
    return ""


def _stays_the_same(optimizer: Budgeted, inputs: Inputs) -> str:
    inner = optimizer.inner
    before = repr(vars(inner)) if hasattr(inner, "__dict__") else repr(inner)
    inputs.final_theta(optimizer)
    after = repr(vars(inner)) if hasattr(inner, "__dict__") else repr(inner)
    return "" if after == before else "update changes the optimizer, not the memory"


def _begins_afresh(optimizer: Budgeted, inputs: Inputs) -> str:
    """Two vectors with two memories, in turns, walk as each by itself."""
    other = Inputs(-inputs.theta[::-1] + 1, inputs.gradients[::-1, ::-1])
    alone = inputs.final_theta(optimizer), other.final_theta(optimizer)
    thetas = inputs.theta.copy(), other.theta.copy()
    memories = [optimizer.memory(theta) for theta in thetas]
    for both in zip(inputs.gradients, other.gradients, strict=True):
        for theta, g, memory in zip(thetas, both, memories, strict=True):
            optimizer.update(theta, g.copy(), memory)
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(alone, thetas, strict=True))
    return "" if same else "two vectors with two memories are not independent of each other"


def _keeps_no_gradient(optimizer: Budgeted, inputs: Inputs) -> str:
    theta, buffer = inputs.theta.copy(), np.empty_like(inputs.theta)
    memory = optimizer.memory(theta)
    for g in inputs.gradients:
        buffer[:] = g
        optimizer.update(theta, buffer, memory)
        buffer[:] = np.nan
    same = np.array_equal(theta, inputs.final_theta(optimizer), equal_nan=True)
    return "" if same else "it keeps the gradient's array, which its caller may write into"


def _takes_any_layout(optimizer: Budgeted, inputs: Inputs) -> str:
    wide = np.repeat(inputs.theta, 2)
    theta = wide[::2]
    memory = optimizer.memory(theta)
    for g in inputs.gradients:
        optimizer.update(theta, np.repeat(g, 3)[::3], memory)
    tolerance = 100 * np.finfo(theta.dtype).eps
    same = np.allclose(
        theta, inputs.final_theta(optimizer), rtol=tolerance, atol=tolerance, equal_nan=True
    )
    if not np.array_equal(wide[1::2], inputs.theta):
        return "update writes between the numbers of a theta with strides"
    return "" if same else "a theta or gradient with strides goes elsewhere"


def _keeps_the_dtype(optimizer: Budgeted, inputs: Inputs) -> str:
    theta = inputs.theta.astype(np.float32)
    memory = optimizer.memory(theta)
    optimizer.update(theta, inputs.gradients[0].astype(np.float32), memory)
    held = vars(memory).values() if hasattr(memory, "__dict__") else ()
    wide = [
        array.dtype for array in held if isinstance(array, np.ndarray) and array.dtype == np.float64
    ]
    return "what is remembered of a float32 vector is float64" if wide else ""


def _refuses(optimizer: Budgeted, inputs: Inputs) -> Finding:
    """Whether the memory of another vector is refused: ours must, others may."""
    try:
        memory = optimizer.memory(inputs.theta.copy())
        optimizer.update(inputs.theta.copy(), inputs.gradients[0].copy(), memory)
    except OutOfBudget as problem:
        return exception_finding(problem, "update")
    except (Exception, SystemExit):
        return Finding("memory", PASS)
    text = "it takes the memory of another vector, and goes on with its moments"
    return Finding("memory", FAIL if published(optimizer.inner) is not None else NOTE, text)
