"""The numbers that `minimise` returns by name: as arrays while a step runs, as floats after it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ground.arguments import Array
from ..ground.errors import KindError, ShapeError, cut


def reported_arrays(reports: Any) -> dict[str, Array]:
    """What `minimise` returned, floats or arrays by name -> arrays (1,) by the same names.

    Raises KindError where these are not real numbers by name, ShapeError for several numbers under
    one name.
    """
    if not isinstance(reports, Mapping) or not reports:
        raise KindError(
            f"minimise gave {cut(repr(reports))}, wants numbers by name, of which the first is "
            f"what the player minimises"
        )
    arrays = {name: np.atleast_1d(number) for name, number in reports.items()}
    for name, x in arrays.items():
        if x.dtype.kind not in "biuf":
            raise KindError(f"minimise gave {name} of type {x.dtype}, wants a real number")
        if x.shape != (1,):
            raise ShapeError(
                f"minimise gave {name} of shape {x.shape}, wants one number: a mean over the batch"
            )
    return arrays


def reported_floats(reports: Mapping[str, Array]) -> dict[str, float]:
    """Arrays (1,) by name -> floats by the same names."""
    return {name: float(x[0]) for name, x in reports.items()}
