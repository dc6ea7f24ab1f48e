"""Calls whose worker is killed under them. Imports nothing heavy: processes of peers import this.

Every call notes that it runs in the folder that the environment names, so that who started them
can tell which ones ran, and how often.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

FOLDER_VARIABLE = "ZONESIM_BENCH_STRUCK"
VICTIM_FILE = "victim"  # holds the process id of who waits to be killed
VICTIM = 1_000  # waits to be killed, the first time that it runs
POISON = 1_001  # kills whoever runs it, each time
WAIT_S = 30.0  # for the kill
TAKES_S = 0.02  # of all others


def struck(argument: int) -> int:
    """Return what it was given, unless it does not live to."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    runs = note_run(folder, argument)
    if argument == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    elif argument == VICTIM and runs == 1:
        _offer(folder)
    else:
        time.sleep(TAKES_S)
    return argument


def note_run(folder: Path, argument: int) -> int:
    """Note one run more of this call; how many there have been with it."""
    file = _runs_file(folder, argument)
    with file.open("ab", buffering=0) as notes:
        notes.write(b".")
    return file.stat().st_size


def runs_of(folder: Path, argument: int) -> int:
    """How often the call has been begun."""
    file = _runs_file(folder, argument)
    return file.stat().st_size if file.exists() else 0


def _runs_file(folder: Path, argument: int) -> Path:
    return folder / f"runs-{argument}"


def _offer(folder: Path) -> None:
    half_written = folder / f"{VICTIM_FILE}.new"
    half_written.write_text(str(os.getpid()))
    half_written.rename(folder / VICTIM_FILE)  # who sees it sees all of it
    time.sleep(WAIT_S)
