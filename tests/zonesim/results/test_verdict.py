from __future__ import annotations

import pytest
from made_up_run import run_info, step_info
from msgspec.structs import replace

from zonesim.results.recovery import Event
from zonesim.results.saved_run import Run, StepData, summarise
from zonesim.results.statistics import StepSummary, summarise_step
from zonesim.results.verdict import verdict_of, zones_held

EMPTY = summarise_step([], replace(step_info(1, 1), duration_s=10.0))


def step(zones: int, **changes: object) -> StepSummary:
    """A step that keeps all limits, of a machine that has room."""
    plain = {"zones": zones, "zone_processes": zones, "ticks": 1000, "cores_left": 0.6}
    return replace(EMPTY, **plain | changes)


def lost(calls: int) -> dict[str, object]:
    return {"async_tasks": replace(EMPTY.async_tasks, lost=calls)}


@pytest.mark.parametrize(
    ("steps", "held"),
    [
        ([], None),
        ([(1, True), (10, True)], 10),
        ([(1, True), (10, True), (50, False), (100, True)], 10),
        ([(1, False), (10, True)], None),
        ([(1, True), (10, True), (1, False)], None),
        ([(10, True), (100, False), (10, True), (1, True)], 10),
    ],
)
def test_a_machine_holds_what_it_holds_in_all_steps_up_to_that_size(steps, held):
    assert zones_held(steps) == held


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([step(1), step(100)], "holds 100 zones at 2.5 ticks/s, with 60 % of the cores left"),
        ([step(1, cores_left=None, period_ms=50.0)], "holds 1 zone at 20 ticks/s"),
        (
            [step(10), step(50), step(100, late=62, cores_left=0.02)],
            "holds 50 zones at 2.5 ticks/s; at 100: 6.2 % late, CPU is the bound",
        ),
        (
            [step(300, late=740, missed=1000, cores_left=0.02)],
            "does not hold 300 zones at 2.5 ticks/s: 74 % late, 50 % missed, CPU is the bound",
        ),
        ([step(5, **lost(3))], "does not hold 5 zones at 2.5 ticks/s: 3 AsyncTasks lost"),
        ([step(5, ticks=0)], "does not hold 5 zones at 2.5 ticks/s: no tick ran"),
    ],
)
def test_the_verdict_says_what_is_held_and_what_the_next_step_breaks(steps, text):
    assert verdict_of(steps, {}).text == text


@pytest.mark.parametrize(
    ("figures", "bound"),
    [
        ({"cores_stolen": 0.12}, "the host of this machine takes 12 % of its CPU"),
        ({"pss_mb_per_zone": 9.5}, "memory is the bound"),
        ({"cores_left": 0.1}, "CPU is the bound"),
        ({"zone_processes": 1, "utilisation": 0.009}, "the thread of a zone process is the bound"),
        ({"worker_utilisation": 0.97}, "the workers are the bound"),
        ({}, "the bound is unclear"),
        ({"cores_left": None}, "the bound is unclear"),
    ],
)
def test_the_bound_is_what_a_step_had_too_little_of(figures, bound):
    late = [step(100, late=200, **figures)]
    assert verdict_of(late, {}, memory_mb=1_000).text.endswith(f": 20 % late, {bound}")


@pytest.mark.parametrize(("late_ratio", "holds"), [(0.3, 2), (0.1, None)])
def test_the_limits_of_the_scenario_go_before_those_of_the_project(late_ratio, holds):
    assert verdict_of([step(2, late=200)], {"late_ratio": late_ratio}).holds == holds


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("run-interrupted", "interrupted"),
        ("run-failed", "the run failed"),
        ("results-unwritable", "figures are not saved"),
    ],
)
def test_a_step_that_was_cut_short_shows_nothing(kind, reason):
    steps = [step(1), step(50, late=1000)]
    verdict = verdict_of(steps, {}, [Event(2, 1, kind, "")])
    assert verdict == (1, f"holds 1 zone at 2.5 ticks/s; at 50: {reason}")
    assert verdict_of(steps, {}, [Event(1, 1, kind, "")]) == (None, None)


def test_steps_with_a_zone_that_was_given_up_are_not_held():
    gone = Event(2, 1, "zone-quarantined", "", zone=40)
    verdict = verdict_of([step(50), step(100), step(10)], {}, [gone])
    assert verdict == (50, "holds 50 zones at 2.5 ticks/s; at 100: 1 zone quarantined")


def test_a_run_as_fast_as_it_goes_has_no_verdict():
    fast = StepData(replace(step_info(1, 1), pace="max", duration_s=10.0), None, [], [])
    summary = summarise(Run(run_info(), [fast], []))
    assert (summary.verdict, summary.holds) == (None, None)
