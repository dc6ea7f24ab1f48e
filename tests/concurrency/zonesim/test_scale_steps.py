from __future__ import annotations

from itertools import pairwise

import pytest
from zonesim_runs import Command, needs_titles, saved

from zonesim.zone.phases import due_times, phase_ns

ZONES = [2, 4, 1, 3]
PERIOD_NS = 40_000_000
SMALL = ("--set", "chains.chains=20", "--set", "period_ms=40", "--json", "--out", "run")


def step_of(document, key):
    return [step[key] for step in document["steps"]]


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The folder of a run whose zones come and go while others tick, and what it said."""
    folder = tmp_path_factory.mktemp("live")
    steps = ("--zones", ",".join(map(str, ZONES)), "--duration", "0.4")
    command = Command("scale", "chains", *steps, *SMALL, cwd=folder)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended


def test_each_step_ticks_as_many_zones_as_it_asks_for(live):
    folder, ended = live

    assert step_of(ended.document, "zones") == step_of(ended.document, "zone_processes") == ZONES
    per_step = "SELECT step, count(DISTINCT zone), max(zone) + 1 FROM ticks GROUP BY step"
    assert saved(folder, per_step) == [(n, z, z) for n, z in enumerate(ZONES, start=1)]
    assert [step["async_tasks"]["lost"] for step in ended.document["steps"]] == [0] * len(ZONES)
    lines = ended.error.splitlines()
    for number in range(1, len(ZONES) + 1):
        assert sum(line.startswith(f"step {number} of {len(ZONES)}, ") for line in lines) >= 2


def test_zones_that_stay_tick_on_at_their_phase_while_others_come_and_go(live):
    folder, _ = live

    [(origin_ns,)] = saved(folder, "SELECT DISTINCT origin_ns FROM steps")
    for zone in range(min(ZONES)):
        rows = saved(
            folder,
            f"SELECT tick, scheduled_ns, missed FROM ticks WHERE zone = {zone} ORDER BY tick",
        )
        assert [tick for tick, *_ in rows] == list(range(len(rows)))
        assert rows[0][1] == origin_ns + phase_ns(zone, PERIOD_NS)
        for (_, due_ns, missed), (_, next_ns, _) in pairwise(rows):
            assert next_ns == due_ns + PERIOD_NS * (1 + missed)


def test_a_step_lasts_until_the_next_one_begins_and_has_the_ticks_that_were_due_in_it(live):
    folder, ended = live

    columns = "step, zones, origin_ns, begin_ns, end_ns, duration_s FROM steps ORDER BY step"
    windows = saved(folder, f"SELECT {columns}")
    assert all(a[4] == b[3] for a, b in pairwise(windows))
    for (step, zones, origin_ns, begin_ns, end_ns, duration_s), told in zip(
        windows, ended.document["steps"], strict=True
    ):
        assert duration_s >= (end_ns - begin_ns) / 1e9 >= 0.4
        [(earliest, latest, missed)] = saved(
            folder,
            f"SELECT min(scheduled_ns), max(scheduled_ns), sum(missed) FROM ticks "
            f"WHERE step = {step}",
        )
        assert begin_ns <= earliest <= latest < end_ns
        due = sum(
            due_times(origin_ns, zone, PERIOD_NS, begin_ns).before(end_ns) for zone in range(zones)
        )
        assert told["ticks"] + told["missed"] == due
        assert missed == told["missed"] or step < len(windows)  # a tick may end in the next one


def test_a_zone_goes_on_where_it_stopped_in_the_step_before(start, tmp_path):
    ended = start("scale", "chains", "--zones", "3,1,2", "--ticks", "3", *SMALL).finish()

    assert ended.code == 0, ended.error
    ticks = "SELECT step, tick FROM ticks WHERE zone = {} ORDER BY tick"
    steps = [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert saved(tmp_path / "run", ticks.format(0)) == list(zip(steps, range(9), strict=True))
    steps = [1, 1, 1, 3, 3, 3]
    assert saved(tmp_path / "run", ticks.format(1)) == list(zip(steps, range(6), strict=True))
    assert saved(tmp_path / "run", ticks.format(2)) == [(1, 0), (1, 1), (1, 2)]
    assert step_of(ended.document, "zone_processes") == [3, 1, 2]


def test_scale_takes_the_steps_of_the_built_in_scenario_for_one_that_has_none(start, tmp_path):
    few_processes = ("--zones-per-process", "25")
    command = start("scale", "chains", "--ticks", "1", *few_processes, *SMALL)

    document = command.finish(timeout_s=60).document

    assert step_of(document, "zones") == [1, 2, 5, 10, 20, 50, 100]
    assert step_of(document, "ticks") == [1, 2, 5, 10, 20, 50, 100]


@needs_titles
def test_zones_share_processes_that_say_which_they_hold(start, tmp_path):
    shared = ("--zones", "6", "--zones-per-process", "4", "--duration", "0.8")
    command = start("run", "chains", *shared, *SMALL)
    command.wait_for_step(tmp_path / "run")
    names = sorted(line for line in command.processes().values() if "zonesim zone" in line)

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert names == ["zonesim zones 0-3", "zonesim zones 4-5"]
    [step] = ended.document["steps"]
    assert (step["zones"], step["zone_processes"]) == (6, 2)
    assert step["async_tasks"]["lost"] == 0
    assert step["ticks"] + step["missed"] == 6 * 20
