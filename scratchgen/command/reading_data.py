"""The data that a command names, and labels that fit its model."""

import warnings

import numpy as np

from .. import data
from ..distributions import Categorical
from ..ground.arguments import Array
from ..ground.errors import OptionError, cut
from ..ground.printing import to_stderr
from ..ground.tables import paragraph
from ..models import Model

LONGEST_WARNING = 220  # letters: three lines


def read_data(
    source: str, split: str = "train", divide_by: float | None = None
) -> tuple[Array, Array | None]:
    """The data of that name or path, and their labels; a warning becomes a line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x, labels = data.load(
            source, return_labels=True, split=split, divide_by=divide_by, dtype=None
        )
    for warning in caught:
        to_stderr(*paragraph(cut(f"scratchgen: {warning.message}", LONGEST_WARNING)))
    return x, labels


def read_data_for(model: Model, source: str, split: str = "train") -> tuple[Array, Array | None]:
    """As `read_data`, with numbers on the scale that the model was trained on."""
    has_classes = any(isinstance(part, Categorical) for part in model.parts())
    divisor = 1.0 if has_classes else None
    if data.builtin_name(source) in ("", last_data(model)):  # other built-in data set their own
        for log in model.training_log:
            divisor = log.get("divide_by", divisor)
    return read_data(source, split, divisor)


def last_data(model: Model) -> str:
    """The name of the data that the model was last trained on, or ""."""
    names = (log.get("data") for log in reversed(model.training_log))
    return next((name for name in names if isinstance(name, str)), "")


def labels_in_turn(model: Model, n: int) -> Array | None:
    """0, 1, 2 ... and 0 again: (n,) labels for samples; None if the model joins no labels."""
    return np.arange(n) % model.n_labels if model.n_labels else None


def labels_for(model: Model, labels: Array | None, name: str, n: int) -> Array | None:
    """The first n labels of the data called `name`, if the model joins labels."""
    if model.n_labels and labels is None:
        raise OptionError(f"the model joins labels, and {name} has none: name other data")
    return model.check_labels(labels[:n], n) if labels is not None and model.n_labels else None
