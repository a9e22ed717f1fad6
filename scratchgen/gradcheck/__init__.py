"""The gradient checker: whether a hand-written backward pass is the derivative of its forward."""

from .checks import (
    GradientError,
    InconclusiveWarning,
    assert_gradients,
    check,
    check_cached,
    check_pair,
    check_second_order,
)
from .optimizers.side_by_side import check_optimizer
from .reports.report import Report
from .results import FAIL, INCONCLUSIVE, NOTE, PASS

__all__ = [
    "FAIL",
    "INCONCLUSIVE",
    "NOTE",
    "PASS",
    "GradientError",
    "InconclusiveWarning",
    "Report",
    "assert_gradients",
    "check",
    "check_cached",
    "check_optimizer",
    "check_pair",
    "check_second_order",
]
