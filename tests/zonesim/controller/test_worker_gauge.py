from __future__ import annotations

import corororo as cr
from zonesim.controller.worker_gauge import WorkerGauge
from zonesim.wire.messages import WorkerTotals

S = 1_000_000_000
STAFF = [cr.WorkerStatus(n, 100 + n, f"zonesim worker {n}", True, place=n) for n in (1, 2)]


def shares(gauge: WorkerGauge, now_s: float, *busy_s: float) -> list[float]:
    """The use of each worker, when so much is known of the first, the second and so on."""
    totals = [WorkerTotals(n, 0, 0, round(each * S)) for n, each in enumerate(busy_s, start=1)]
    return [line.utilisation for line in gauge.lines(totals, STAFF, round(now_s * S))]


def test_a_worker_is_as_busy_as_it_was_since_the_first_look():
    gauge = WorkerGauge(5 * S)

    assert shares(gauge, 100, 3600, 0) == [0.0, 0.0]
    assert shares(gauge, 101, 3600.5, 1.0) == [0.5, 1.0]


def test_what_becomes_known_all_at_once_counts_for_the_whole_of_the_last_seconds():
    gauge = WorkerGauge(5 * S)
    for second in range(5):
        shares(gauge, second, 0, 0)

    assert shares(gauge, 5, 4.0, 2.0) == [0.8, 0.4]
    assert shares(gauge, 6, 4.0, 2.0) == [0.8, 0.4]


def test_what_is_long_past_is_forgotten():
    gauge = WorkerGauge(5 * S)
    for second in range(20):
        latest = shares(gauge, second, min(second, 10), 0)

    assert latest == [0.0, 0.0]


def test_a_worker_is_never_more_than_all_busy():
    gauge = WorkerGauge(5 * S)
    shares(gauge, 0, 0, 0)

    assert shares(gauge, 1, 3.0, 0.0) == [1.0, 0.0]


def test_a_worker_that_has_just_come_has_done_nothing_before():
    gauge = WorkerGauge(5 * S)
    shares(gauge, 0, 1.0)

    assert shares(gauge, 2, 1.0, 1.0) == [0.0, 0.5]
