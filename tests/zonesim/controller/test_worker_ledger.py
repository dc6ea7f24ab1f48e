from __future__ import annotations

import msgspec

import corororo as cr
from zonesim.controller.worker_ledger import WorkerLedger, WorkerRecord
from zonesim.wire.messages import WorkerTotals, add_by_worker, done_since


def status(number: int, place: int = 1) -> cr.WorkerStatus:
    return cr.WorkerStatus(number, 1000 + number, f"zonesim worker {place}", True, place=place)


def pool(*workers: cr.WorkerStatus, died: tuple[cr.WorkerStatus, ...] = ()) -> cr.PoolStatistics:
    return cr.PoolStatistics(workers, died, len(died), None)


def test_totals_of_several_zones_are_added_up_by_worker():
    totals = [WorkerTotals(1, 1, 10, 100), WorkerTotals(2, 5, 6, 7), WorkerTotals(1, 2, 20, 200)]

    sums: dict[int, WorkerTotals] = {}
    add_by_worker(sums, totals)

    assert sums == {1: WorkerTotals(1, 3, 30, 300), 2: WorkerTotals(2, 5, 6, 7)}


def test_what_is_told_are_the_workers_that_did_anything_since_and_it_adds_up():
    before: dict[int, WorkerTotals] = {}
    add_by_worker(before, [WorkerTotals(1, 1, 10, 100), WorkerTotals(2, 5, 6, 7)])
    now: dict[int, WorkerTotals] = {}
    add_by_worker(
        now,
        [WorkerTotals(1, 1, 10, 100), WorkerTotals(2, 6, 8, 10), WorkerTotals(3, 1, 1, 1)],
    )
    told = done_since(before, now)

    assert told == [WorkerTotals(2, 1, 2, 3), WorkerTotals(3, 1, 1, 1)]
    add_by_worker(before, told)
    assert before == now


def test_a_step_counts_only_what_was_done_in_it():
    ledger = WorkerLedger()
    ledger.note(pool(status(1)))
    ledger.end_step([WorkerTotals(1, 2, 20, 200)])

    assert ledger.end_step([WorkerTotals(1, 5, 50, 500)]) == [
        WorkerRecord(1, 1001, batches=3, calls=30, busy_ns=300)
    ]


def test_a_dead_worker_and_its_successor_are_one_place_with_one_restart():
    ledger = WorkerLedger()
    ledger.note(pool(status(1), status(2, 2)))
    ledger.note(pool(status(3), status(2, 2), died=(status(1),)))

    records = ledger.end_step([WorkerTotals(1, 1, 10, 100), WorkerTotals(3, 2, 20, 200)])

    assert records == [
        WorkerRecord(1, 1003, batches=3, calls=30, busy_ns=300, restarts=1),
        WorkerRecord(2, 1002),
    ]


def test_a_death_is_news_once_and_counts_in_the_step_that_saw_it():
    ledger = WorkerLedger()
    later = pool(status(2), died=(status(1),))

    assert ledger.note(pool(status(1))) == []
    assert ledger.note(later) == [status(1)]
    assert ledger.note(later) == []
    assert [record.restarts for record in ledger.end_step([])] == [1]
    assert [record.restarts for record in ledger.end_step([])] == [0]


def test_a_worker_that_lived_between_two_looks_is_known_by_its_death():
    ledger = WorkerLedger()
    ledger.note(pool(status(1)))

    assert ledger.note(pool(status(3), died=(status(1), status(2)))) == [status(1), status(2)]
    [record] = ledger.end_step([WorkerTotals(2, 1, 1, 1)])
    assert (record.pid, record.calls, record.restarts) == (1003, 1, 2)


def test_a_pool_without_workers_has_no_records():
    ledger = WorkerLedger()

    assert ledger.note(pool()) == []
    assert ledger.end_step([]) == []


def test_a_worker_that_was_retired_is_no_death_and_its_work_counts_until_it_is_gone():
    ledger = WorkerLedger()
    ledger.note(pool(status(1), status(2, 2)))
    retiring = msgspec.structs.replace(pool(status(1)), retiring=(status(2, 2),))
    retired = msgspec.structs.replace(pool(status(1)), retired=(status(2, 2), status(3, 3)))

    assert ledger.note(retiring) == ledger.note(retired) == []
    records = ledger.end_step([WorkerTotals(2, 1, 10, 100), WorkerTotals(3, 2, 20, 200)])
    assert [(record.worker, record.calls, record.restarts) for record in records] == [
        (1, 0, 0),
        (2, 10, 0),
        (3, 20, 0),
    ]
    later = ledger.end_step([WorkerTotals(2, 1, 10, 100), WorkerTotals(3, 2, 20, 200)])
    assert [record.worker for record in later] == [1]
