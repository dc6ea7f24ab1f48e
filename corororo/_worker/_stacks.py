"""Where a worker stands that does not come back: its stacks, which are the last that it says.

Python's own handler answers in the middle of anything, an endless loop and a blocking call
included. It then does what the signal does by itself, and ends the process: nothing of what hung
goes on meanwhile. Knows no pool.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
from pathlib import Path

from corororo._ring import PRIVATE

ASK = signal.SIGUSR1
ANSWER_S = 0.5  # what it gets to answer: a process that is never scheduled does not
STACK_CHARACTERS = 8_000
NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOENT}


def die_with_stacks(path: Path) -> None:
    """From now on ``ASK`` ends this process, and its stacks stand there.

    Where there is no room for the file, or the session has gone, it ends without them.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        return
    faulthandler.register(ASK, file=fd, all_threads=True, chain=True)


def last_stacks(path: Path) -> str:
    """What a process has left, its main thread first; "" where it has not, or nobody can tell."""
    try:
        text = path.read_text(errors="backslashreplace")
    except OSError:
        return ""
    # The main thread comes last, behind all that may wait for work, and says most.
    *others, main = text.strip().split("\n\n")
    return "\n\n".join([main, *others])[:STACK_CHARACTERS].strip()
