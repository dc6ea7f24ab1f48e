"""What tests of both packages share: the place of the sources, and hypothesis within bounds."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: they measure the machine. The same examples each time: a failure can be repeated.
settings.register_profile("bounded", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("bounded")

# Images of containers forbid Python to keep what it compiles, to stay small. The hundreds of
# programs that are started from here would then compile both packages each.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


# A shell without a terminal has what it starts in the background ignore Ctrl-C, and programs that
# are started from here would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def _short_collections() -> None:
    """Keep what pytest holds of thousands of tests out of each collection that a test asks for."""
    if not gc.get_freeze_count():  # tests of the collector undo it
        gc.collect()
        gc.freeze()


@pytest.fixture
def root() -> Path:
    """The folder that holds both packages."""
    return ROOT


@pytest.fixture
def source_environment() -> dict[str, str]:
    """The environment of a script that is to import the packages from here."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
