"""Zones whose workers do not answer; checkpoints of a process that is killed while it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import trio
from waiting import pids, stop
from zonesim_runs import needs_titles

import corororo as cr
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.checkpoint import load
from zonesim.zone.zone import Zone

SAVE_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from zonesim.zone.checkpoint import Checkpoint, save
for tick in count():
    save(Path(sys.argv[1]), Checkpoint(tick, tick, b"%d" % tick * 4000))
"""


@needs_titles
def test_a_rehearsal_without_answers_delays_no_zone_and_leaves_no_trace():
    async def rehearse(zone: Zone) -> None:
        await zone.rehearse(until_s=trio.current_time() + 0.2)

    with cr.WorkerPool(1) as pool, cr.SlackCollector() as garbage:
        zone = Zone(ZoneSpec(3, 1, 0.4, "chains", "", chains=20), pool, garbage)
        stop(*pids(pool))
        trio.run(rehearse, zone)
        os.kill(pids(pool)[0], signal.SIGCONT)
        row = trio.run(zone.tick, None)
        [work] = zone.worker_use
        zone.scheduler.close()

    assert work.calls == 20
    assert (row.tick, row.async_submitted, row.async_completed, row.carried) == (0, 20, 20, 0)


def test_a_process_killed_while_it_saves_leaves_a_whole_checkpoint(tmp_path):
    for kill in range(4):
        path = tmp_path / f"zone-{kill}"
        with subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, path]) as saving:
            end = time.monotonic() + 30
            while not path.exists() and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(kill / 1000)  # another moment of its writing each time
            saving.kill()
        found = load(path)
        assert found is not None
        assert found.snapshot == b"%d" % found.tick * 4000
