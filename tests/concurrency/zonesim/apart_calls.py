"""What tests have done in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def doubled(*numbers: int) -> Iterator[int]:
    """Twice each, and something on standard output that nobody asked for."""
    for number in numbers:
        sys.stdout.write("noise\n")
        sys.stdout.flush()
        yield 2 * number


def own_session() -> Iterator[int]:
    yield os.getsid(0)


def first_then_fail() -> Iterator[int]:
    yield 1
    raise KeyError("nothing of this kind")


def first_then_hang() -> Iterator[int]:
    """With a child that nobody ends, and deaf to what a broken pipe means."""
    yield subprocess.Popen(SLEEPER).pid
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        with suppress(KeyboardInterrupt):
            time.sleep(60)


def note_and_hang(file: str) -> Iterator[int]:
    Path(file).write_text(str(os.getpid()))
    yield 1
    time.sleep(60)
