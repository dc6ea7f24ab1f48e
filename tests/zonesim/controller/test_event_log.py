from __future__ import annotations

import time

import msgspec
import pytest
from made_up_run import run_info

import corororo as cr
from zonesim.controller.event_log import EventLog, WorkerLedger
from zonesim.controller.stepping import Stepping
from zonesim.results.saved_run import WorkerRow, load_run
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario
from zonesim.wire.messages import WorkerTotals

NO_WORKERS = cr.PoolStatistics((), (), 0, None)
LIMIT_S = 60.0


@pytest.fixture
def notices():
    return []


@pytest.fixture
def log(tmp_path, notices):
    scenario = Scenario()
    with RunWriter(tmp_path / "run", run_info()) as writer:
        yield EventLog(scenario, Stepping(scenario), writer, [], notices.append)


def test_an_event_is_one_row_for_each_zone_and_one_line_on_the_terminal(log, notices, tmp_path):
    log.note("zone-died", "by signal 9\nand more", zones=[5, 4], pid=17)
    log.note("workers-scaled", "1 -> 2")

    assert notices == ["zone-died: zones 4-5 (pid 17), by signal 9", "workers-scaled: 1 -> 2"]
    log._writer.finish("")
    saved = [(e.kind, e.zone, e.worker, e.pid) for e in load_run(tmp_path / "run").events]
    died = [("zone-died", zone, None, 17) for zone in (4, 5)]
    assert saved == [*died, ("workers-scaled", None, None, None)]


def test_an_error_of_the_disk_is_reported_once_while_the_run_continues(log, notices, tmp_path):
    (tmp_path / "run").rename(tmp_path / "away")
    log.note("zone-died", "by signal 9", zones=[0])
    end_s = time.monotonic() + LIMIT_S
    while len(notices) < 2 and time.monotonic() < end_s:
        log.show({}, [], NO_WORKERS)
    log.show({}, [], NO_WORKERS)
    assert [line.partition(": ")[0] for line in notices] == ["zone-died", "results-unwritable"]


def status(number: int, place: int = 1) -> cr.WorkerStatus:
    return cr.WorkerStatus(number, 1000 + number, f"zonesim worker {place}", True, place=place)


def pool(*workers: cr.WorkerStatus, died: tuple[cr.WorkerStatus, ...] = ()) -> cr.PoolStatistics:
    return cr.PoolStatistics(workers, died, len(died), None)


def test_a_dead_worker_counts_with_its_successor():
    ledger = WorkerLedger()
    assert ledger.note(pool(status(1), status(2, 2))) == []
    dead = pool(status(4), status(2, 2), died=(status(1), status(3)))
    assert ledger.note(dead) == [status(1), status(3)]  # the third lived between two looks
    assert ledger.note(dead) == []

    records = ledger.end_step(1, [WorkerTotals(1, 1, 10, 100), WorkerTotals(4, 2, 20, 200)])

    assert records == [
        WorkerRow(1, 1, 1004, calls=30, batches=3, busy_ns=300, restarts=2),
        WorkerRow(1, 2, 1002, 0, 0, 0, 0),
    ]
    assert [record.restarts for record in ledger.end_step(1, [])] == [0, 0]


def test_the_work_of_retired_workers_counts_and_they_are_not_dead():
    ledger = WorkerLedger()
    ledger.note(pool(status(1), status(2, 2)))
    retired = msgspec.structs.replace(pool(status(1)), retired=(status(2, 2),))
    work = [WorkerTotals(2, 1, 10, 100)]

    assert ledger.note(retired) == []
    records = ledger.end_step(1, work)
    assert [(r.worker, r.calls, r.restarts) for r in records] == [(1, 0, 0), (2, 10, 0)]
    assert [record.worker for record in ledger.end_step(1, work)] == [1]
