from __future__ import annotations

import pytest
from stand_ins import follow_trio


@pytest.fixture
def jumping(monkeypatch, autojump_clock):
    """The clock of a test that waits for nothing but the next deadline."""
    follow_trio(monkeypatch)
    return autojump_clock
