"""What tests of both packages share: the place of the sources, and hypothesis within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: they measure the machine. The same examples each time: a failure can be repeated.
settings.register_profile("bounded", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("bounded")


@pytest.fixture
def root() -> Path:
    """The folder that holds both packages."""
    return ROOT


@pytest.fixture
def source_environment() -> dict[str, str]:
    """The environment of a script that is to import the packages from here."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
