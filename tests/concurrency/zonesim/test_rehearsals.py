"""A zone that comes up while its workers answer nothing."""

from __future__ import annotations

import os
import signal

import trio
from waiting import pids, stop
from zonesim_runs import needs_titles

import corororo as cr
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.zone import Zone

SPEC = ZoneSpec(3, 1, 0.4, "chains", "", chains=20)


async def rehearse(zone: Zone) -> None:
    await zone.rehearse(until_s=trio.current_time() + 0.2)


@needs_titles
def test_a_rehearsal_that_nobody_answers_holds_up_no_zone_and_leaves_no_trace():
    with cr.WorkerPool(1) as pool, cr.SlackCollector() as garbage:
        zone = Zone(SPEC, pool, garbage)
        stop(*pids(pool))
        trio.run(rehearse, zone)
        assert zone.worker_totals() == []
        os.kill(pids(pool)[0], signal.SIGCONT)
        row = trio.run(zone.tick, None)
        [totals] = zone.worker_totals()
        zone.close()

    assert totals.calls == 20
    assert (row.tick, row.async_submitted, row.async_completed, row.carried) == (0, 20, 20, 0)
