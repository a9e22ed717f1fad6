"""What an optimizer must keep besides its formula: its gradient, its own fields, its memory.

    update(theta, g, memory) changes theta and memory, and not g and not the optimizer           (1)
    two thetas with two memories move as each would alone                                        (2)
    theta and g may have strides, and g's array may be written into afterwards                   (3)
    memory has the dtype of theta, and belongs to it                                             (4)

Each function returns what is wrong, in words, or "".
"""

import numpy as np

from ..measuring.passes import OutOfBudget
from ..pairs.exception_texts import exception_text
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, Finding
from .textbook_updates import published
from .trajectories import Budgeted, Inputs


def property_findings(optimizer: Budgeted, inputs: Inputs) -> list[Finding]:
    """(1) to (4), each as a finding."""
    tests = {
        "pure": _changes_no_gradient,
        "constants": _changes_no_field,
        "stale": _keeps_memories_apart,
        "alias": _keeps_no_gradient,
        "layout": _takes_any_layout,
        "dtype": _keeps_the_dtype,
    }
    found: list[Finding] = []
    for contract, test in tests.items():
        try:
            text = test(optimizer, inputs)
        except OutOfBudget as problem:
            return [*found, exception_finding(problem, "update")]
        except (Exception, SystemExit) as problem:
            text = exception_text(problem, "update")
        found.append(Finding(contract, FAIL if text else PASS, text))
    return [*found, _refuses(optimizer, inputs)]


def exception_finding(problem: BaseException, stage: str) -> Finding:
    """An exception as a finding; a spent budget is INCONCLUSIVE."""
    if isinstance(problem, OutOfBudget):
        return Finding("budget", INCONCLUSIVE, problem.text)
    return Finding("raises", FAIL, exception_text(problem, stage))


def _changes_no_gradient(optimizer: Budgeted, inputs: Inputs) -> str:
    theta = inputs.theta.copy()
    memory = optimizer.memory(theta)
    for g in inputs.gradients:
        given = g.copy()
        optimizer.update(theta, given, memory)
        if given.tobytes() != g.tobytes():
            return "update changes the gradient that it is given"
    return ""


def _changes_no_field(optimizer: Budgeted, inputs: Inputs) -> str:
    inner = optimizer.inner
    before = repr(vars(inner)) if hasattr(inner, "__dict__") else repr(inner)
    inputs.final_theta(optimizer)
    after = repr(vars(inner)) if hasattr(inner, "__dict__") else repr(inner)
    return "" if after == before else "update changes the optimizer, not the memory"


def _keeps_memories_apart(optimizer: Budgeted, inputs: Inputs) -> str:
    """(2), with steps in turns."""
    other = Inputs(-inputs.theta[::-1] + 1, inputs.gradients[::-1, ::-1])
    alone = inputs.final_theta(optimizer), other.final_theta(optimizer)
    thetas = inputs.theta.copy(), other.theta.copy()
    memories = [optimizer.memory(theta) for theta in thetas]
    for pair in zip(inputs.gradients, other.gradients, strict=True):
        for theta, g, memory in zip(thetas, pair, memories, strict=True):
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
    remembered = vars(memory).values() if hasattr(memory, "__dict__") else ()
    arrays = [array for array in remembered if isinstance(array, np.ndarray)]
    wide = any(array.dtype == np.float64 for array in arrays)
    return "what is remembered of a float32 vector is float64" if wide else ""


def _refuses(optimizer: Budgeted, inputs: Inputs) -> Finding:
    """(4): whether the memory of another vector is refused. Ours must, others may."""
    try:
        memory = optimizer.memory(inputs.theta.copy())
        optimizer.update(inputs.theta.copy(), inputs.gradients[0].copy(), memory)
    except OutOfBudget as problem:
        return exception_finding(problem, "update")
    except (Exception, SystemExit):
        return Finding("memory", PASS)
    text = "it takes the memory of another vector, and goes on with its moments"
    return Finding("memory", FAIL if published(optimizer.inner) is not None else NOTE, text)
