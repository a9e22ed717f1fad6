"""All tests of this room run twice: with arrays in new memory, and in memory that holds NaN.

Tests marked `once` run once: they check gradients as the certificate does, in both memories.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from filled import filled


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [
        item for item in items if not (item.get_closest_marker("once") and "filled" in item.name)
    ]


@pytest.fixture(params=[nullcontext, filled], ids=["new", "filled"], autouse=True)
def memory_of_steps(request) -> Iterator[None]:
    with request.param():
        yield
