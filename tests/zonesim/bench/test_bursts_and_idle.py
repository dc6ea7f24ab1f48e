"""Idle strategies: whose ratio has which goal, who is held where, and how long somebody waited."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from without_pauses import parts_of

import corororo as cr
from zonesim.bench import crowd, idle_group
from zonesim.bench.burst_group import BURSTS, CALLS, GAPS_MS, figure_name, measure_round
from zonesim.bench.figures import Goal
from zonesim.bench.idle_group import ALONE, APART, CROWDED, FREE, MEAN, TICK, Sizes, situations
from zonesim.bench.launches import Amount
from zonesim.bench.strategies import ADAPTIVE, PARK, pinned, rows
from zonesim.bench.suite import Setting
from zonesim.system.operating_system import cpus_to_hold

PINS = len(cpus_to_hold()) > 1
SAMPLES = {
    PARK: [[{"us": 100.0}, {"us": 100.0}]],
    "Backoff": [[{"us": 90.0}, {"us": 90.0}]],
    ADAPTIVE: [[{"us": 80.0}, {"us": 80.0}]],
}


def test_all_others_are_held_against_park_and_adaptive_spin_has_the_goal() -> None:
    park, backoff, adaptive = rows("free", "us", SAMPLES, Goal("at most", 1.0))
    assert (park.name, park.figure, park.against) == ("us: Park", 100.0, "")
    assert (backoff.figure, backoff.against, backoff.verdict) == (0.9, PARK, "")
    assert (adaptive.figure, adaptive.against, adaptive.verdict) == (0.8, PARK, "pass")


def test_adaptive_spin_falls_short_where_it_is_slower_than_its_goal() -> None:
    *_, adaptive = rows("crowded", "us", SAMPLES, Goal("at most", 0.7))
    assert adaptive.verdict == "falls short"


def test_with_one_cpu_none_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_group, "cpus_to_hold", lambda: [0])
    assert [situation.name for situation in situations(1)] == [CROWDED]
    monkeypatch.setattr(idle_group, "cpus_to_hold", lambda: [0, 1])
    assert [situation.name for situation in situations(2)] == [FREE, APART, CROWDED]


def test_a_situation_that_cannot_be_had_is_skipped_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idle_group, "cpus_to_hold", list)
    (told,) = parts_of(idle_group.measure_idle(APART, Setting(Amount(1, 1), 2, True)))
    assert told == "'apart' needs 2 CPUs, and a system that holds processes to them: skipped"


def test_a_round_has_its_calls_and_ticks() -> None:
    with cr.Scheduler() as zone:
        found = idle_group.measure_round(Sizes(calls=2, ticks=1), zone)
        assert zone.statistics().async_tasks_taken == 2 + 396
    assert set(found) == {ALONE, TICK, MEAN}
    assert found[TICK] == found[MEAN]


def test_a_round_of_bursts_has_all_of_them_at_each_gap() -> None:
    with cr.Scheduler() as zone:
        found = measure_round(zone)
        assert zone.statistics().async_tasks_taken == len(GAPS_MS) * BURSTS * CALLS
    assert list(found) == [figure_name(0), figure_name(5), figure_name(10)]


@pytest.mark.skipif(not PINS, reason="pins no processes, or has no CPU to choose")
def test_a_thread_is_held_to_its_cpu_while_it_lasts() -> None:
    usable = os.sched_getaffinity(0)
    with pinned(cpus_to_hold()[-1]):
        assert os.sched_getaffinity(0) == {cpus_to_hold()[-1]}
    assert os.sched_getaffinity(0) == usable
    with pinned(None):
        assert os.sched_getaffinity(0) == usable


# -- how long somebody waited


def pressure(path: Path, total_us: int) -> None:
    averages = "avg10=0.00 avg60=0.00 avg300=0.00"
    path.write_text(f"some {averages} total={total_us}\nfull {averages} total=99999999\n")


def test_the_share_of_waiting_is_that_of_the_time_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "cpu"
    monkeypatch.setattr(crowd, "read_proc", lambda *_parts: file.read_text())
    now_s = iter([100.0, 104.0, 200.0, 204.0])
    monkeypatch.setattr(crowd, "monotonic", lambda: next(now_s))
    waiting = crowd.Waiting()
    for waited_us in (1_000_000, 3_000_000):
        pressure(file, 5_000_000)
        with waiting:
            pressure(file, 5_000_000 + waited_us)
    assert waiting.share == 0.5


def test_the_share_of_waiting_is_unknown_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowd, "read_proc", lambda *_parts: "")
    with crowd.Waiting() as waiting:
        pass
    assert waiting.share is None
