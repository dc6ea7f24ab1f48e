from __future__ import annotations

import time

from made_up_run import writer

import corororo as cr
from zonesim.controller.event_log import Logbook
from zonesim.controller.stepping import Stepping
from zonesim.scenario.loading import Scenario

NOBODY = cr.PoolStatistics((), (), 0, None)
LIMIT_S = 60.0


def test_what_the_disk_refuses_is_told_while_the_run_goes_on(tmp_path):
    told: list[str] = []
    scenario = Scenario()
    with writer(tmp_path / "run", told.append) as pen:
        log = Logbook(
            scenario, Stepping(scenario), pen, lambda _: None, lambda _: None, lambda _: None
        )
        (tmp_path / "run").rename(tmp_path / "away")
        log.note("zone-died", "by signal 9", zones=[0])
        end_s = time.monotonic() + LIMIT_S
        while not told and time.monotonic() < end_s:
            log.show({}, [], NOBODY)

    assert len(told) == 1
    assert "the file is gone" in told[0]
