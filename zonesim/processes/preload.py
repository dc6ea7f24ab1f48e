"""What a run needs before its first process: enough open files, and a fork server.

It also notices when the fork server dies.
"""

from __future__ import annotations

from contextlib import suppress

import corororo as cr
from corororo.processes import (
    DEAD,
    forkserver,
    forkserver_pid,
    process_state,
    raise_open_file_limit,
)
from zonesim.system.errors import RunFailed

PRELOAD = (
    "zonesim.zone.process",
    "corororo._core._trio_driver",  # which a tick under trio imports
    "zonesim.processes.fork_server",
)
FILES_PER_ZONE = 6  # in the controller, the fork server or a worker, whichever needs most
OTHER_FILES = 128


def start_fork_server(zones: int) -> None:
    """Start the fork server, unless it runs; it imports while this process still does.

    Raises RunFailed where so many zones need more open files than the hard limit allows.
    """
    needed = files_for(zones)
    allowed = raise_open_file_limit(needed)
    if allowed < needed:
        fewer = ", or run fewer zones" if zones > 1 else ""
        raise RunFailed(
            f"{zones} zones need {needed} open files, the hard limit is {allowed}; raise it "
            f"(ulimit -Hn){fewer}"
        )
    with suppress(OSError, cr.SessionError):  # the first process that needs it reports the error
        forkserver(PRELOAD)


def files_for(zones: int) -> int:
    """How many open files each process of a run needs."""
    return FILES_PER_ZONE * zones + OTHER_FILES


def zones_for(files: int) -> int:
    """How many zones a run may have with so many open files."""
    return max(0, (files - OTHER_FILES) // FILES_PER_ZONE)


class ForkServerWatch:
    """Notices that the fork server has died."""

    def __init__(self) -> None:
        self._seen = forkserver_pid()
        self._reported: int | None = None

    def dead_pid(self) -> int | None:
        """The process id of a fork server that has died; each one once."""
        before, self._seen = self._seen, forkserver_pid()
        if before is None or before == self._reported:
            return None
        # A replaced server is gone: multiprocessing has reaped it before it started the next one.
        if before == self._seen and process_state(before) not in DEAD:
            return None
        self._reported = before
        return before
