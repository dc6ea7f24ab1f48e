"""The fork server that zones and workers come from: what it imports, and when it begins."""

from __future__ import annotations

from contextlib import suppress

import corororo as cr
from corororo.processes import forkserver
from zonesim.system.open_files import allow_files_for

PRELOAD = (
    "zonesim.zone.process",
    "corororo._core._trio_driver",  # which a tick under trio imports
    "zonesim.processes.fork_server",
)


def start_fork_server(zones: int) -> None:
    """Have it import while this process still does: 0.3 s less until the first tick.

    Its children are to be so many zones, and have the limits that it has: raises RunFailed where
    they would need more open files than there may be. Does nothing where it runs already.
    """
    allow_files_for(zones)
    with suppress(OSError, cr.SessionError):  # whoever starts the workers meets it, and tells of it
        forkserver(PRELOAD)
