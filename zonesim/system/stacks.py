"""Asks a zone process that hangs where it stands: it writes its stacks when a signal comes.

A process that is stopped answers as soon as it is continued.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import trio

from corororo.processes import ANSWER_S, STACK_SIGNAL, read_stacks

POLL_S = 0.02


def stack_path(directory: str | Path, number: int) -> Path:
    """Where the zone process of this number writes its stacks."""
    return Path(directory) / f"zone-process-{number}.stack"


async def stacks_of(pid: int, path: Path) -> str:
    """The stacks of a process, its main thread first; "" where it does not answer."""
    with suppress(ProcessLookupError):
        os.kill(pid, STACK_SIGNAL)
        os.kill(pid, signal.SIGCONT)  # a stopped one answers when it goes on
    stacks = ""
    with trio.move_on_after(ANSWER_S):
        while not stacks or stacks != read_stacks(path):  # until all of it is written
            stacks = read_stacks(path)
            await trio.sleep(POLL_S)
    return stacks
