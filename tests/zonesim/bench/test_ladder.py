"""The ladder's rows from made-up samples, and from one small run of all its rungs."""

from __future__ import annotations

import multiprocessing
from collections import Counter

import pytest

from zonesim.bench import ladder, ladder_steps
from zonesim.bench.core import CHAINS
from zonesim.bench.figures import Goal, Row
from zonesim.bench.ladder_rows import BELOW, SWITCH, SWITCHES, TICK, ZONES, row_name, rows
from zonesim.bench.ladder_steps import STEPS
from zonesim.bench.launches import Amount
from zonesim.bench.suite import Launch, Options, begin, measure

PLAIN_US = {"plain": 400.0, "plain, collected between": 300.0}
TICK_US = {step.number: 400.0 + CHAINS * (10 - place) for place, step in enumerate(STEPS)}
MESSAGES = {step.number: 396.0 for step in STEPS}


def samples(figures: dict[str, float]) -> dict[str, list[list[float]]]:
    return {name: [[figure] * 3] * 2 for name, figure in figures.items()}


@pytest.fixture
def found() -> dict[str, Row]:
    made = rows("numbers", samples(TICK_US | PLAIN_US), samples(MESSAGES))
    return {row.name: row for row in made}


def row_of(found: dict[str, Row], number: str, figure: str) -> Row:
    [step] = [step for step in STEPS if step.number == number]
    return found[row_name(step, figure)]


def test_every_rung_has_a_row_of_each_figure(found: dict[str, Row]) -> None:
    names = [row_name(step, figure) for figure in (SWITCH, SWITCHES, TICK, ZONES) for step in STEPS]
    names += [row_name(step, BELOW) for step in STEPS[1:]]
    assert list(found) == names
    assert "2.1 a pipe for each worker: a switch" in names
    assert {row.group for row in found.values()} == {"numbers"}


def test_a_switch_is_what_a_tick_takes_longer_than_one_of_plain_tasks(
    found: dict[str, Row],
) -> None:
    assert row_of(found, "0", SWITCH).figure == pytest.approx(10)
    assert row_of(found, "2.5", SWITCH).figure == pytest.approx(4)
    collected = (TICK_US["4"] - PLAIN_US["plain, collected between"]) / CHAINS
    assert row_of(found, "4", SWITCH).figure == pytest.approx(collected)
    assert row_of(found, "4", SWITCH).interval == pytest.approx((collected, collected))


def test_zones_are_the_period_by_the_tick(found: dict[str, Row]) -> None:
    for step in STEPS:
        tick_ms = row_of(found, step.number, TICK).figure
        assert tick_ms == pytest.approx(TICK_US[step.number] / 1_000)
        zones = row_of(found, step.number, ZONES)
        assert zones.figure == pytest.approx(400 / tick_ms)
        assert zones.better == "higher"


def test_a_rung_is_held_against_the_one_it_is_built_on(found: dict[str, Row]) -> None:
    for number, below in (("1", "0"), ("3", "2.5"), ("4", "2.5"), ("5", "4")):
        row = row_of(found, number, BELOW)
        assert row.against.startswith(f"{below} ")
        assert row.figure == pytest.approx(TICK_US[number] / TICK_US[below])


def test_goals_are_the_milestones_and_what_was_before_has_none(found: dict[str, Row]) -> None:
    assert row_of(found, "1", SWITCH).goal == Goal("at most", 1_000)
    assert row_of(found, "2.5", SWITCH).goal == Goal("at most", 10)
    assert row_of(found, "3", SWITCHES).goal == Goal("at most", 50)
    assert row_of(found, "3", SWITCHES).verdict == "falls short"
    assert row_of(found, "5", TICK).goal == Goal("at most", 150)
    assert row_of(found, "5", ZONES).goal == Goal("at least", 100)
    before = [row_of(found, "0", figure) for figure in (SWITCH, SWITCHES, TICK, ZONES)]
    assert [row.goal for row in before] == [None] * 4


def test_a_small_run_climbs_all_rungs_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zonesim.bench.noise.LOOK_S", 0.0)
    monkeypatch.setattr(ladder_steps, "TICKS", 1)
    monkeypatch.setattr(ladder, "HEAP", 10)
    report = begin(ladder.SUITE, Options(["paths"], launches=1, rounds=1))
    assert report.amounts == {"paths": Amount(1, 1)}
    first, measured = measure(ladder.SUITE, report)
    assert first == Launch("paths", 0)
    assert len(measured.rows) == 5 * len(STEPS) - 1
    found = {row.name: row for row in measured.rows}
    messages = Counter(row_of(found, step.number, SWITCHES).figure == 396 for step in STEPS)
    assert messages == {True: 5, False: 5}
    assert all(row_of(found, step.number, TICK).figure > 0 for step in STEPS)
    assert any("plan's milestones" in note for note in measured.notes)
    assert multiprocessing.active_children() == []
