"""How many open files a run of so many zones needs."""

from __future__ import annotations

from corororo.processes import raise_open_file_limit
from zonesim.system.errors import RunFailed

FOR_EACH_ZONE = 6  # of the controller, the fork server and each worker, whichever needs most
FOR_THE_REST = 128


def files_for(zones: int) -> int:
    """How many files each process of a run has to be allowed."""
    return FOR_EACH_ZONE * zones + FOR_THE_REST


def zones_for(files: int) -> int:
    """How many zones a run may have where each process is allowed so many files."""
    return max(0, (files - FOR_THE_REST) // FOR_EACH_ZONE)


def allow_files_for(zones: int) -> None:
    """Let this process and its children open what ``zones`` need; raises RunFailed."""
    needed = files_for(zones)
    allowed = raise_open_file_limit(needed)
    if allowed < needed:
        raise RunFailed(
            f"{zones} zones need {needed} open files, the hard limit is {allowed}; raise it "
            f"(ulimit -Hn), or run fewer zones"
        )
