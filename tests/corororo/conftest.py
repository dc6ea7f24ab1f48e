"""Fixtures of the library's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from zone_and_worker import ZoneAndWorker, ran


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[ZoneAndWorker]:
    """A zone and a worker in this process."""
    ran.clear()
    pair = ZoneAndWorker(tmp_path)
    yield pair
    pair.close()
