"""Where room in a file cannot be reserved by one call: a ring has all its room, or is refused.

What must never be is a ring without its room: the first write to a page that cannot be had ends
the process with SIGBUS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.timeout(90), pytest.mark.usefixtures("portable")]

PROGRAM = Path(__file__).parent / "portable_ring.py"
RING_BYTES = 128 << 10
SMALL_BYTES = 256 << 10
TOO_LARGE_BYTES = 320 << 10
MADE = {"length": 1_000_000}  # of the arguments of all calls, which went through the ring
# Mounts a small file system where nobody else sees it, and runs a command.
ON_SMALL = ("sh", "-c", f'mount -t tmpfs -o size={SMALL_BYTES} small "$0" && exec "$@"')
ALONE = ("unshare", "--map-root-user", "--mount")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rings"
    folder.mkdir()
    return folder


@pytest.fixture
def small(folder: Path) -> tuple[str, ...]:
    """What runs a command that finds a small file system in the folder."""
    command = (*ALONE, *ON_SMALL, str(folder))
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("this system cannot mount a file system for one process: no unshare")
    if tried.returncode:
        pytest.skip(f"this user may not mount a file system: {tried.stderr.strip()}")
    return command


def make_ring(
    import_path: list[Path], folder: Path, ring_bytes: int, *how: str, under: tuple[str, ...] = ()
) -> Any:
    """What the program says."""
    done = subprocess.run(
        [*under, sys.executable, str(PROGRAM), str(folder), str(ring_bytes), *how],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")  # a SIGBUS would be -7
    return json.loads(done.stdout)


def refused_cleanly(said: Any, ring_bytes: int, why: str) -> None:
    assert said["left"] == []
    assert f"expected room for a ring of {ring_bytes} bytes, found: {why}" in said["refused"]
    assert "ask for smaller rings" in said["refused"]


def test_a_ring_that_fits_takes_calls(import_path: list[Path], folder: Path) -> None:
    assert make_ring(import_path, folder, RING_BYTES) == MADE


@pytest.mark.parametrize("how", [(), ("promised",)], ids=["as it says", "against its word"])
def test_a_ring_that_does_not_fit_its_file_system_is_refused(
    import_path: list[Path], folder: Path, small: tuple[str, ...], how: tuple[str, ...]
) -> None:
    said = make_ring(import_path, folder, TOO_LARGE_BYTES, *how, under=small)
    refused_cleanly(said, TOO_LARGE_BYTES, "No space left on device")
