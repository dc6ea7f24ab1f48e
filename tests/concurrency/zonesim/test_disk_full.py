"""A run whose disk is full from some moment on."""

from __future__ import annotations

import json
import resource
import signal
import sys

import pytest
from zonesim_runs import saved

from zonesim.live.view_file import read_view

RUN = ("run", "chains", "--zones", "2", "--workers", "1", "--duration", "600", "--json")
MANY = 1200  # ticks; far more than what is kept back for the next write
QUICK = ("--set", "period_ms=5", "--set", "chains.chains=1")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no limits for other processes here")
@pytest.mark.parametrize("room_again", [False, True], ids=["for good", "for a while"])
def test_a_run_goes_on_and_says_so_once_while_nothing_can_be_written(start, tmp_path, room_again):
    command = start(*RUN, *QUICK, "--out", "run")
    command.wait_for_ticks(tmp_path / "run")
    file = tmp_path / "run" / "run.sqlite"
    limits = resource.prlimit(command.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(command.pid, resource.RLIMIT_FSIZE, (file.stat().st_size, limits[1]))
    [session] = command.sessions()

    def ticks() -> int:
        """What whoever watches the run is shown."""
        return read_view(session).progress.ticks

    before = ticks()
    # The disk must have refused some.
    command.wait_until(lambda: ticks() > before + MANY, "ticks in what is shown")
    if room_again:
        resource.prlimit(command.pid, resource.RLIMIT_FSIZE, limits)
    command.signal(signal.SIGINT)
    ended = command.finish()

    assert ended.code == 130
    told = [line for line in ended.error.splitlines() if "cannot be written" in line]
    assert len(told) == 1
    assert told[0].startswith("run/run.sqlite: the figures of the run cannot be written, got: ")
    # Nothing of what was measured is missing in what the run says in the end.
    document = json.loads(ended.output)
    assert document["steps"][0]["ticks"] > before + MANY
    on_disk = saved(tmp_path / "run", "SELECT count(*) FROM ticks")[0][0]
    assert (on_disk == document["steps"][0]["ticks"]) is room_again, sys.platform
