"""A zone that comes up while its workers answer nothing."""

from __future__ import annotations

import os
import signal

import trio
from hardships import stop
from waiting import pids
from zonesim_runs import needs_titles

import corororo as cr
from zonesim import zone as zone_module
from zonesim.workloads.base import ZoneSpec
from zonesim.zone import Zone

SPEC = ZoneSpec(3, 1, 0.4, "chains", "", chains=20)


@needs_titles
def test_a_rehearsal_that_nobody_answers_holds_up_no_zone_and_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(zone_module, "REHEARSAL_S", 0.2)
    with cr.WorkerPool(1) as pool, cr.SlackCollector() as garbage:
        zone = Zone(SPEC, pool, garbage)
        stop(*pids(pool))
        trio.run(zone.rehearse)
        os.kill(pids(pool)[0], signal.SIGCONT)
        row = trio.run(zone.tick, None)
        zone.close()

    assert (row.tick, row.async_submitted, row.async_completed, row.carried) == (0, 20, 20, 0)
