"""The rows that benchmarks make of their samples, from made-up figures."""

from __future__ import annotations

import sys

import pytest

from zonesim.bench import noise
from zonesim.bench.ladder.steps import PLAIN, PLAIN_COLLECTED, STEPS, ladder_rows
from zonesim.bench.peers import arrays, fleet, outside, zones
from zonesim.bench.peers import command as peers
from zonesim.bench.plan import PLAN, impact_ms
from zonesim.bench.program import CHAINS
from zonesim.bench.rows import Row
from zonesim.bench.spectrum import patterns, targets
from zonesim.bench.suite import Options, Setting, begin, measure
from zonesim.bench.table import MOST_ROWS

SETTING = Setting(2, True)
TRIPS = (arrays.ALONE, arrays.TOGETHER)


def rows_of(parts) -> list[Row]:
    return [part for part in parts if isinstance(part, Row)]


def tick_samples(ours: float, theirs: float) -> dict[str, list[list[float]]]:
    ways = (peers.OURS, peers.BY_MAP, peers.BY_PIPES, peers.PROTOTYPE_TICK, peers.LIMIT)
    return {
        f"{way}, {pace}": [[ours if way == peers.OURS else theirs]]
        for way in ways
        for pace in peers.PACES
    }


def test_the_program_by_hand_comes_first_with_its_goals():
    assert next(iter(peers.SUITE.groups)) == "hand"
    rows = rows_of(peers.tick_rows(tick_samples(25.0, 100.0), SETTING))
    assert [row.against for row in rows[:3]] == [peers.BY_MAP] * 3
    assert [row.goal and row.goal.bound for row in rows[:3]] == [0.28, 0.38, None]
    assert {row.verdict for row in rows if row.goal} == {"pass"}
    slow = rows_of(peers.tick_rows(tick_samples(130.0, 100.0), SETTING))
    assert [row.verdict for row in slow if row.goal] == ["short"] * 2 + ["pass"] * 3 + ["short"] * 3


def test_calls_one_by_one_have_a_goal_and_a_missing_library_is_named():
    samples = {peers.OURS: [[1.0]], peers.SUBMIT: [[50.0]]}
    samples |= {peers.ONE: [[1.0]], peers.SUBMIT_ONE: [[2.0]]}
    submitted, note, one = peers.call_rows(samples, SETTING)
    assert (submitted.verdict, one.verdict) == ("pass", "short")
    assert "trio-parallel is not installed" in note


def test_a_map_is_compared_with_the_fastest_peer():
    samples = {peers.OURS: [[10.0]], "slow": [[40.0]], "fast": [[5.0]]}
    best, *others = rows_of(peers.map_rows(samples, SETTING))
    assert (best.figure, best.verdict, best.note) == (0.5, "short", "the best peer: fast")
    assert [(row.against, row.figure, row.detail) for row in others] == [
        ("fast", 0.5, True),
        ("slow", 4.0, True),
    ]


def test_arrays_are_compared_with_the_faster_way_of_joblib():
    us = {arrays.OURS: 1.0, arrays.EXECUTOR: 2.0}
    samples = {f"{way}: {name}": [[us[way]]] for way in us for name in TRIPS}
    note, executor, _ = arrays.array_rows(samples, SETTING)
    assert "joblib is not installed" in note
    assert (executor.figure, executor.verdict) == (2.0, "short")
    us = dict(zip(arrays.JOBLIB_OPTIONS, (9.0, 4.0), strict=True))
    samples |= {f"{way}: {name}": [[us[way]]] for way in us for name in TRIPS}
    _, by_joblib, *_ = rows_of(arrays.array_rows(samples, SETTING))
    assert (by_joblib.against, by_joblib.figure) == (arrays.JOBLIB, 4.0)


def test_a_fleet_has_a_row_for_every_goal():
    samples = {
        f"{run}: {figure}": [[0.0 if run == fleet.CHAINS else 9.0]]
        for run, figure, *_ in fleet.GOALS
    }
    samples |= {f"{run}: {fleet.MAIN_THREAD}": [[2.0]] for run in (fleet.CHAINS, fleet.ONE)}
    samples |= {
        f"{fleet.KILLED}: {fleet.WRONG}": [[0.0]],
        f"{fleet.KILLED}: {fleet.KILLS}": [[58.0]],
    }
    rows = rows_of(fleet.fleet_rows("fleet", samples, SETTING))
    assert len(rows) == len(fleet.GOALS) + 2
    short = {row.name for row in rows if row.verdict == "short"}
    many = {f"{run}: {fleet.LATE_SHARE}" for run in (fleet.MANY_CHAINS, fleet.MANY_FIELD)}
    assert short == {f"{fleet.FIELD}: late ticks"} | many


def test_instructions_are_compared_with_the_prototype():
    samples = {zones.OURS: [[3.0]], zones.PROTOTYPE: [[4.0]]}
    (row,) = peers.instruction_rows(samples, SETTING)
    assert (row.against, row.figure, row.verdict) == (peers.PROTOTYPE_TICK, 0.75, "pass")


@pytest.mark.parametrize(
    ("group", "reason"),
    [("instructions", "valgrind is not on PATH"), ("outside", "py-spy is not installed")],
)
def test_a_group_whose_tool_is_missing_is_skipped_and_says_why(monkeypatch, group, reason):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(noise, "look", lambda before: noise.Look(before, 0.0, 0.0))
    report = begin(peers.SUITE, Options([group]))
    measure(peers.SUITE, report, lambda group, number: None)
    assert report.rows == []
    assert report.notes[0].startswith(f"{group}: skipped, {reason}")


def test_samples_outside_of_ticks_are_those_of_zones_that_tick():
    root = "<module> (x.py:1);zone_process_main (zonesim/zone/process.py:59)"
    stacks = [
        f"{root};Zone.tick (zone.py:99);Scheduler.run_tick (corororo/_core/_scheduler.py:143) 90",
        f"{root};Reporter.flush_rows (zonesim/zone/reporter.py:40) 10",
        f"{root};ZoneProcess._assign (zonesim/zone/process.py:160);Zone.__init__ (zone.py:60) 50",
        "<module> (x.py:1);run_fleet (fleet.py:110) 70",
    ]
    assert outside.percent_outside(stacks) == 10.0
    rows = rows_of(outside.outside_rows({"chains": [[10.0]], "field": [[13.0]]}, SETTING))
    assert [row.verdict for row in rows] == ["pass", "short"]


def test_a_run_with_too_few_kills_proves_nothing():
    samples = {f"{fleet.KILLED}: {fleet.WRONG}": [[0.0]], f"{fleet.KILLED}: {fleet.KILLS}": [[9.0]]}
    (note,) = fleet.fleet_rows("fleet", samples, SETTING)
    assert note == "only 9 workers were killed in 60 s: this machine is too busy"


def test_all_rows_of_peers_fit_into_its_table():
    ticks = sum(not peers.is_detail(*key) for key in peers.GOALS)
    fleets = len(fleet.GOALS) + 2
    calls = len((peers.SUBMIT, peers.TRIO_PARALLEL, peers.ONE))
    others = len(
        (arrays.EXECUTOR, arrays.JOBLIB, "map", "zones", "instructions", *outside.WORKLOADS)
    )
    assert ticks + calls + others + fleets <= MOST_ROWS


def ladder_samples(switch_us: float) -> dict[str, list[list[float]]]:
    names = [*(step.number for step in STEPS), PLAIN, PLAIN_COLLECTED]
    samples = {f"{name}: us": [[400.0 + CHAINS * switch_us]] for name in names}
    samples |= {f"{name}: us": [[400.0]] for name in (PLAIN, PLAIN_COLLECTED)}
    return samples | {f"{step.number}: messages": [[396.0]] for step in STEPS}


def test_a_switch_is_what_a_tick_costs_more_than_plain_tasks():
    rows = rows_of(ladder_rows("numbers", ladder_samples(15.0), SETTING))
    shown = [row for row in rows if not row.detail]
    assert [row.ours for row in shown] == pytest.approx([15.0] * len(STEPS))
    assert [row.theirs for row in shown[1:]] == pytest.approx([15.0] * (len(STEPS) - 1))
    named = {row.name: row for row in rows}
    assert named["2.4 batches, numbers: a switch"].verdict == "pass"
    assert named["2.5 the ring, numbers: a switch"].verdict == "short"
    assert named["3 one .map, numbers: switches a tick"].verdict == "short"
    count = named["5 workers that spin, numbers: zones"]
    assert (count.figure, count.verdict) == (pytest.approx(400 / 6.34), "short")


def test_a_pattern_stands_beside_the_plan_with_its_impact_and_targets_follow():
    samples = {pattern.name: [[50.0]] for pattern in patterns.PATTERNS}
    rows = rows_of(patterns.pattern_rows(samples, SETTING))
    switch, impact = (row for row in rows if row.name.startswith(patterns.AT_ONCE))
    assert (switch.ours, switch.against, switch.theirs) == (50.0, PLAN, 22_153.0)
    assert (impact.ours, impact.detail) == (impact_ms(50.0), True)
    target, *_ = targets.conclude(rows)
    assert (target.goal.bound, target.verdict) == (100.0, "pass")
    assert target.note == "reaches the conservative target"
