"""All tests of this room run twice: with arrays in new memory, and in memory that holds NaN."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from filled import filled


@pytest.fixture(params=[nullcontext, filled], ids=["new", "filled"], autouse=True)
def memory_of_steps(request) -> Iterator[None]:
    with request.param():
        yield
