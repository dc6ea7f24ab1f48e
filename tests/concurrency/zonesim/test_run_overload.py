from __future__ import annotations

from itertools import pairwise
from math import ceil

import pytest
from zonesim_runs import Command, saved

PERIOD_NS = 40_000_000
# 30 calls of 5 ms on one worker: a tick of two zones takes some seven periods.
SURGE = ("--workers", "1", "--set", "chains.chains=30", "--set", "chains.work=sleep:5ms")
QUICK = ("--zones", "2", "--set", "period_ms=40", "--json", "--out", "run")


@pytest.fixture(scope="module")
def surge(tmp_path_factory):
    """The folder of a run that is asked for more than it can do, and its one step."""
    folder = tmp_path_factory.mktemp("surge")
    command = Command("run", "chains", "--duration", "0.8", *SURGE, *QUICK, cwd=folder)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended.document["steps"][0]


def test_each_tick_that_was_due_is_either_run_or_missed(surge):
    folder, step = surge

    assert step["late"] == step["ticks"] > 0
    rows = "SELECT count(*), sum(missed), min(scheduled_ns) FROM ticks GROUP BY zone ORDER BY zone"
    zones = saved(folder, rows)
    end_ns = zones[0][2] + 800_000_000
    assert [executed + missed for executed, missed, _ in zones] == [
        ceil((end_ns - begin_ns) / PERIOD_NS) for *_, begin_ns in zones
    ]
    assert step["missed"] == sum(missed for _, missed, _ in zones) > 0
    assert (
        step["async_tasks"]["submitted"] == step["async_tasks"]["completed"] == 30 * step["ticks"]
    )
    assert step["tps"] < 25
    assert step["worker_utilisation"] > 0.5


def test_a_late_tick_is_followed_by_the_next_one_that_is_not_a_whole_period_overdue(surge):
    rows = saved(
        surge[0],
        "SELECT zone, scheduled_ns, missed, finished_ns, started_ns FROM ticks ORDER BY zone, tick",
    )
    follow_ups = [(a, b) for a, b in pairwise(rows) if a[0] == b[0]]
    for (_, due_ns, missed, finished_ns, _), (_, next_ns, *_, started_ns) in follow_ups:
        assert next_ns == due_ns + PERIOD_NS * (1 + missed)
        assert started_ns >= max(next_ns, finished_ns)
        assert next_ns + PERIOD_NS > finished_ns


def test_a_run_of_ticks_misses_none_after_its_last(start, tmp_path):
    ended = start("run", "chains", "--ticks", "4", *SURGE, *QUICK).finish()

    assert ended.code == 0, ended.error
    last = "SELECT tick, missed FROM ticks WHERE tick >= 3"
    assert saved(tmp_path / "run", last) == [(3, 0), (3, 0)]
    [step] = ended.document["steps"]
    assert (step["ticks"], step["late"]) == (8, 8)
    assert step["missed"] > 0


@pytest.mark.parametrize("pace", ["realtime", "max"])
def test_calls_that_are_carried_over_are_in_flight_and_not_lost(start, tmp_path, pace):
    carry = ("--set", "late=carry", "--pace", pace)
    ended = start("run", "chains", "--duration", "0.6", *carry, *SURGE, *QUICK).finish()

    assert ended.code == 0, ended.error
    [step] = ended.document["steps"]
    counts = step["async_tasks"]
    assert counts["lost"] == 0
    assert 0 < counts["completed"] < counts["submitted"] == 30 * step["ticks"]
    if pace == "realtime":
        assert step["ticks"] + step["missed"] == 2 * 15
    else:
        assert (step["late"], step["missed"]) == (0, 0)


def test_zones_that_pause_for_a_step_still_bring_back_what_they_carried(start):
    steps = ("--zones", "2,1,3", "--duration", "0.3", "--set", "late=carry")
    ended = start("scale", "chains", *steps, *SURGE, *QUICK[2:]).finish()

    assert ended.code == 0, ended.error
    assert [step["async_tasks"]["lost"] for step in ended.document["steps"]] == [0, 0, 0]


def test_a_run_at_full_speed_has_a_duration_that_its_ticks_took(start, tmp_path):
    chains = ("--set", "chains.chains=20", "--ticks", "40", "--pace", "max")
    ended = start("run", "chains", *chains, *QUICK).finish()

    assert ended.code == 0, ended.error
    [step] = ended.document["steps"]
    query = "SELECT (max(finished_ns) - min(started_ns)) / 1e9 FROM ticks"
    [(took_s,)] = saved(tmp_path / "run", query)
    assert step["duration_s"] >= took_s > 0
    assert 0 < step["tps_min"] <= step["tps"]
    assert (step["ticks"], step["late"], step["missed"]) == (80, 0, 0)
    assert step["lateness_ms"]["max"] == 0
