"""An office in a folder of its own, with its ends of all files closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from office import Office, ran


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    ran.clear()
    office = Office(tmp_path)
    yield office
    office.close()
