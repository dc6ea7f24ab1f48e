"""Steps of a run: zones come and go while others tick, and workers with their load."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from zonesim_runs import Command, needs_titles, saved

from corororo.processes import usable_cpus
from zonesim.zone.schedule import due_times, phase_ns

ZONES = [2, 4, 1, 3]
PERIOD_NS = 40_000_000
SMALL = ("--set", "chains.chains=20", "--set", "period_ms=40", "--json", "--out", "run")


def column(document, key):
    return [step[key] for step in document["steps"]]


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The folder of a run whose zones come and go, and its end."""
    folder = tmp_path_factory.mktemp("live")
    steps = ("--zones", ",".join(map(str, ZONES)), "--duration", "0.4")
    command = Command("scale", "chains", *steps, *SMALL, cwd=folder)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended


def test_each_step_ticks_as_many_zones_as_it_asks_for(live):
    folder, ended = live
    assert column(ended.document, "zones") == column(ended.document, "zone_processes") == ZONES
    per_step = "SELECT step, count(DISTINCT zone), max(zone) + 1 FROM ticks GROUP BY step"
    assert saved(folder, per_step) == [(n, z, z) for n, z in enumerate(ZONES, start=1)]
    assert [step["async_tasks"]["lost"] for step in ended.document["steps"]] == [0] * len(ZONES)


def test_zones_that_stay_keep_their_phase_while_others_come_and_go(live):
    folder, _ = live
    [(origin_ns,)] = saved(folder, "SELECT DISTINCT origin_ns FROM steps")
    [(tick, first_ns, _), *_] = rows = saved(
        folder, "SELECT tick, scheduled_ns, missed FROM ticks WHERE zone = 0 ORDER BY tick"
    )
    assert [tick for tick, *_ in rows] == list(range(len(rows)))
    assert (tick, first_ns) == (0, origin_ns + phase_ns(0, PERIOD_NS))
    for (_, due_ns, missed), (_, next_ns, _) in pairwise(rows):
        assert next_ns == due_ns + PERIOD_NS * (1 + missed)


def test_a_step_has_the_ticks_that_were_due_until_the_next_one_began(live):
    folder, ended = live
    columns = "step, zones, origin_ns, begin_ns, end_ns, duration_s FROM steps ORDER BY step"
    windows = saved(folder, f"SELECT {columns}")
    assert all(a[4] == b[3] for a, b in pairwise(windows))
    for window, step in zip(windows, ended.document["steps"], strict=True):
        number, zones, origin_ns, begin_ns, end_ns, duration_s = window
        assert duration_s >= (end_ns - begin_ns) / 1e9 >= 0.4
        span = f"SELECT min(scheduled_ns), max(scheduled_ns) FROM ticks WHERE step = {number}"
        [(earliest, latest)] = saved(folder, span)
        assert begin_ns <= earliest <= latest < end_ns
        due = (due_times(origin_ns, zone, PERIOD_NS, begin_ns) for zone in range(zones))
        assert step["ticks"] + step["missed"] == sum(each.before(end_ns) for each in due)


def test_a_zone_continues_where_it_stopped_in_an_earlier_step(start, tmp_path):
    ended = start("scale", "chains", "--zones", "3,1,2", "--ticks", "3", *SMALL).finish()

    assert ended.code == 0, ended.error
    for zone, steps in enumerate([[1, 1, 1, 2, 2, 2, 3, 3, 3], [1, 1, 1, 3, 3, 3], [1, 1, 1]]):
        query = f"SELECT step FROM ticks WHERE zone = {zone} ORDER BY tick"
        assert saved(tmp_path / "run", query) == [(step,) for step in steps]
    assert column(ended.document, "zone_processes") == [3, 1, 2]


def test_scale_has_steps_of_its_own_for_a_scenario_without_any(start):
    together = ("--zones-per-process", "25")
    document = start("scale", "chains", "--ticks", "1", *together, *SMALL).finish(60).document

    assert column(document, "zones") == column(document, "ticks") == [1, 2, 5, 10, 20, 50, 100]


@needs_titles
def test_processes_that_hold_several_zones_have_them_in_their_title(start, tmp_path):
    shared = ("--zones", "6", "--zones-per-process", "4", "--duration", "0.8")
    command = start("run", "chains", *shared, *SMALL)
    command.wait_for_step(tmp_path / "run")
    titles = sorted(line for line in command.processes().values() if "zonesim zone" in line)

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert titles == ["zonesim zones 0-3", "zonesim zones 4-5"]
    [step] = ended.document["steps"]
    assert (step["zones"], step["zone_processes"], step["async_tasks"]["lost"]) == (6, 2, 0)
    assert step["ticks"] + step["missed"] == 6 * 20


# A period in which no machine runs the ticks of six zones.
CROWDED = ("--set", "chains.chains=3000", "--set", "period_ms=1", "--ticks", "2", "--json")


def test_zones_that_the_cores_do_not_carry_are_dealt_to_a_process_for_each(start, tmp_path):
    scale = ("scale", "chains", "--zones", "3,6", *CROWDED)
    ended = start(*scale, "--zones-per-process", "auto", "--out", "run").finish()

    assert ended.code == 0, ended.error
    processes = ended.document["packing"]["processes"]
    assert processes == min(6, usable_cpus())
    assert ended.document["packing"]["text"] in ended.error
    assert column(ended.document, "zone_processes") == [min(3, processes), processes]
    dealt = saved(tmp_path / "run", "SELECT DISTINCT zone, pid FROM ticks WHERE step = 2")
    assert len({(zone % processes, pid) for zone, pid in dealt}) == processes
    apart = start(*scale, "--out", "apart").finish().document
    assert (apart["packing"], apart["world_hash"]) == (None, ended.document["world_hash"])


# Ten zones need the time of 2 workers, one zone a fifth of the time of one.
LOAD = ("--set", "chains.chains=4", "--set", "chains.work=sleep:5ms", "--set", "period_ms=100")
QUICKLY = ("--workers", "1..3", "--set", "workers.sync_s=0.1", "--set", "workers.hold=2")


def test_the_number_of_workers_follows_the_load(start, tmp_path):
    steps = ("--zones", "10,1", "--duration", "1", "--json", "--out", "run")
    ended = start("scale", "chains", *steps, *LOAD, *QUICKLY).finish()

    assert ended.code == 0, ended.error
    events = [e for e in ended.document["events"] if e["kind"] == "workers-scaled"]
    moves = [tuple(map(int, e["detail"].partition(":")[0].split(" -> "))) for e in events]
    assert moves[0][0] == 1
    assert all(before[1] == after[0] for before, after in pairwise(moves))
    highest = max(b for (_, b), event in zip(moves, events, strict=True) if event["step"] == 1)
    assert highest in (2, 3)
    assert moves[-1][1] < highest
    assert re.fullmatch(r"1 -> \d: utilisation [01]\.\d\d of target 0\.70", events[0]["detail"])
    assert "workers-scaled: 1 -> " in ended.error
    busy, quiet = ended.document["steps"]
    assert 1 < busy["workers"] <= 3
    assert 1 <= quiet["workers"] < 3
    assert column(ended.document, "async_tasks")[0]["lost"] == 0
    [(busy_ns,)] = saved(tmp_path / "run", "SELECT sum(busy_ns) FROM workers WHERE step = 1")
    there_s = busy["workers"] * busy["duration_s"]
    assert busy["worker_utilisation"] == pytest.approx(busy_ns / 1e9 / there_s)
    kinds = {event["kind"] for event in ended.document["events"]}
    assert kinds == {"workers-scaled", "zone-drained"}  # retired workers are not dead
