"""Where a process stands that says nothing: its stacks, written by itself when a signal asks.

Python's own handler answers in the middle of anything, an endless loop and a blocking call
included; a process that is stopped answers as soon as it is continued.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import IO

import trio

ASK = signal.SIGUSR1
ANSWER_S = 0.5  # what it gets to answer: a process that is never scheduled does not
POLL_S = 0.02
STACK_CHARACTERS = 8_000


def stack_path(directory: str | Path, host: int) -> Path:
    """Where the process of that number writes."""
    return Path(directory) / f"zone-process-{host}.stack"


def answer_with_stacks(path: Path) -> IO[bytes]:
    """From now on this process writes its stacks there when asked; keep what this returns."""
    file = open(path, "wb", opener=_open_private)  # noqa: SIM115 - open as long as the process
    faulthandler.register(ASK, file=file, all_threads=True)
    return file


async def stacks_of(pid: int, path: Path) -> str:
    """What a process answers, its main thread first; "" where it does not."""
    with suppress(ProcessLookupError):
        os.kill(pid, ASK)
        os.kill(pid, signal.SIGCONT)  # a stopped one answers when it goes on
    text = ""
    with trio.move_on_after(ANSWER_S):
        while not text or text != _read(path):
            text = _read(path)
            await trio.sleep(POLL_S)
    # The main thread comes last, behind all that may wait for work, and says most.
    *others, main = text.strip().split("\n\n")
    return "\n\n".join([main, *others])[:STACK_CHARACTERS].strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="backslashreplace")
    except OSError:
        return ""


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
