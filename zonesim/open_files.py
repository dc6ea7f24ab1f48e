"""The limit on open files: raised as far as it goes, or named. Knows no processes."""

from __future__ import annotations

import resource

from zonesim.errors import RunFailed

FOR_EACH_ZONE = 6  # of the controller, the fork server and each worker, whichever needs most
FOR_THE_REST = 128


def raise_open_file_limit(zones: int) -> None:
    """Have room for ``zones``, in this process and those started later; raises RunFailed."""
    needed = FOR_EACH_ZONE * zones + FOR_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise RunFailed(
                f"{zones} zones need {needed} open files, the hard limit is {hard}; raise it "
                f"(ulimit -Hn), or run fewer zones"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
