"""The limit on open files: raised as far as it goes, or named. Knows no processes."""

from __future__ import annotations

import resource

from zonesim.system.errors import RunFailed

FOR_EACH_ZONE = 6  # of the controller, the fork server and each worker, whichever needs most
FOR_THE_REST = 128


def files_for(zones: int) -> int:
    """How many files each process of a run has to be allowed."""
    return FOR_EACH_ZONE * zones + FOR_THE_REST


def zones_for(files: int) -> int:
    """How many zones a run may have where each process is allowed so many files."""
    return max(0, (files - FOR_THE_REST) // FOR_EACH_ZONE)


def raise_open_file_limit(zones: int) -> None:
    """Have room for ``zones``, in this process and those started later; raises RunFailed."""
    needed = files_for(zones)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise RunFailed(
                f"{zones} zones need {needed} open files, the hard limit is {hard}; raise it "
                f"(ulimit -Hn), or run fewer zones"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
