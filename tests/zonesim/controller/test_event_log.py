from __future__ import annotations

import time

from made_up_run import run_info

import corororo as cr
from zonesim.controller.event_log import Logbook
from zonesim.controller.stepping import Stepping
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario

NOBODY = cr.PoolStatistics((), (), 0, None)
LIMIT_S = 60.0


def test_a_disk_that_fails_is_told_once_while_the_run_goes_on(tmp_path):
    told: list[str] = []
    scenario = Scenario()
    with RunWriter(tmp_path / "run", run_info()) as writer:
        log = Logbook(
            scenario, Stepping(scenario), writer, lambda _: None, told.append, lambda _: None
        )
        (tmp_path / "run").rename(tmp_path / "away")
        log.note("zone-died", "by signal 9", zones=[0])
        end_s = time.monotonic() + LIMIT_S
        while len(told) < 2 and time.monotonic() < end_s:
            log.show({}, [], NOBODY)
        log.show({}, [], NOBODY)

    assert [line.partition(": ")[0] for line in told] == ["zone-died", "results-unwritable"]
    assert "the file is gone" in told[1]
