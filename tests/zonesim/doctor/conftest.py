"""A made-up machine with enough of everything; tests change single facts."""

from __future__ import annotations

import msgspec
import pytest

from zonesim.doctor.facts import (
    Facts,
    GroupLimits,
    Memory,
    OpenFiles,
    Place,
    Processes,
)
from zonesim.scenario.loading import load_scenario

GIGABYTE = 10**9
GOOD = Facts(
    machine={
        "cpu": "Some CPU",
        "cpus": 8,
        "cpus_usable": 8,
        "memory_mb": 64_000,
        "system": "Linux 6.1",
        "architecture": "x86_64",
        "python": "CPython 3.12.1",
    },
    group=GroupLimits(),
    memory=Memory(64 * GIGABYTE, 60 * GIGABYTE),
    places=[
        Place("/dev/shm", 32 * GIGABYTE, 30 * GIGABYTE),
        Place("/tmp", 500 * GIGABYTE, 400 * GIGABYTE),
    ],
    open_files=OpenFiles(1024, 1_048_576),
    processes=Processes(30_000, 500),
    versions={"python": "3.12.1", "corororo": "0.1.0", "setproctitle": "1.3.3"},
    instead=[],
)


@pytest.fixture
def facts():
    """The facts of a good machine, with changes."""
    return lambda **changes: msgspec.structs.replace(GOOD, **changes)


@pytest.fixture
def scenario():
    """The scenario whose zones are counted."""
    return load_scenario("scale")
