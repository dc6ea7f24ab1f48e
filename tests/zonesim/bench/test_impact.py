"""Three methods for one figure: components add up, and disagreement is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from without_pauses import parts_of

import corororo as cr
from zonesim.bench import impact_group
from zonesim.bench.core import CHAINS
from zonesim.bench.empty_work import number
from zonesim.bench.figures import Row
from zonesim.bench.impact_group import DIRECT, PLAIN, PLAIN_SAMPLED, SAMPLED, measure_impact, sum_of
from zonesim.bench.impact_parts import AWAITED, COMPONENTS
from zonesim.bench.launches import Amount, Pause, Turns
from zonesim.bench.suite import Setting
from zonesim.bench.tick_parts import BATCHES, LAPS, MAIN, WALL, back_to_back, mean_parts

SETTING = Setting(Amount(2, 1), workers=2, quick=True)


def tick(step: float, encode: float, wait: float, resume: float, other: float) -> dict[str, float]:
    laps = dict(zip(LAPS, (step, encode, wait, resume, other), strict=True))
    wall = sum(laps.values())
    return laps | {WALL: wall, MAIN: wall - wait, BATCHES: 6.0}


def made_up(direct: Mapping[str, float], sampled: Mapping[str, float]) -> dict[str, object]:
    """Samples of 2 launches of 1 round, in which every component costs 1 us."""
    parts = {DIRECT: direct, SAMPLED: sampled, PLAIN: direct, PLAIN_SAMPLED: sampled}
    costs = {component.name: {"us": 1.0} for component in COMPONENTS}
    return {name: [[figures], [figures]] for name, figures in (parts | costs).items()}


def pause_and(samples: dict[str, object]) -> Turns[dict[str, object]]:
    yield Pause.BEFORE_LAUNCH
    return samples


@pytest.fixture
def rows_and_notes(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Row], list[str]]:
    samples = made_up(tick(500, 100, 50, 300, 50), tick(900, 200, 400, 450, 50))
    monkeypatch.setattr(impact_group, "take_turns", lambda amount, opened: pause_and(samples))
    parts = list(parts_of(measure_impact(SETTING)))
    rows = {part.name: part for part in reversed(parts) if isinstance(part, Row)}
    return rows, [part for part in parts if isinstance(part, str)]


def test_a_tick_is_the_sum_of_its_components_as_often_as_it_needs_them() -> None:
    costs_us = {component.name: 0.0 for component in COMPONENTS}
    costs_us |= {"await a Task": 0.5, "send a descriptor": 10.0, "work of a call": 2.0}
    found = sum_of(costs_us, tick(0, 0, 0, 0, 0), workers=2)
    assert found["step"] == 0.5 * AWAITED
    assert found["encode"] == 10.0 * 6
    assert found["wait"] == 2.0 * CHAINS / 2
    assert found[WALL] == found["step"] + found["encode"] + found["wait"]
    assert found[MAIN] == found[WALL] - found["wait"]


def test_each_method_has_its_tick_and_what_the_zone_s_own_thread_took(rows_and_notes) -> None:
    rows, _ = rows_and_notes
    assert rows["1 direct: a tick of 1,980"].ours == 1.0
    assert rows["1 direct: of it the zone's own thread"].ours == 0.95
    assert rows["3 sampled: a tick of 1,980"].ours == 2.0
    assert rows["3 sampled: of it the zone's own thread"].ours == 1.6


def test_disagreement_is_told_beside_the_direct_measurement(rows_and_notes) -> None:
    rows, _ = rows_and_notes
    summed_ms = rows["2 components: a tick of 1,980"].ours
    assert rows["disagreement: 3 sampled"].figure == 2.0
    assert rows["disagreement: 2 components"].figure == pytest.approx(summed_ms)
    most, least = max(2.0, summed_ms), min(1.0, summed_ms)
    spread = rows["disagreement: most over least of the three"]
    assert spread.figure == pytest.approx(most / least)


def test_every_component_says_how_often_a_tick_needs_it(rows_and_notes) -> None:
    rows, _ = rows_and_notes
    assert rows["component: await a Task"].note == "x 1,188 = 1,188 us"
    assert rows["component: send a descriptor"].note == "x 6 = 6 us"
    assert {name for name in rows if name.startswith("component: ")} == {
        f"component: {component.name}" for component in COMPONENTS
    }


def test_the_notes_say_where_the_methods_differ(rows_and_notes) -> None:
    _, notes = rows_and_notes
    titles = "1 direct", "2 components", "3 sampled", "plain Tasks", "plain, sampled"
    assert notes[0].split() == " ".join(("where a tick goes, us", *titles)).split()
    assert notes[1].split()[:2] == ["step", "500"]
    components, sampled = notes[-2:]
    assert "most in 'step', by +1,480 us" in components
    assert "+350 us of waiting" in sampled
    assert "by +650 us of the same code" in sampled


def test_the_parts_of_a_tick_add_up_to_all_of_it() -> None:
    with cr.Scheduler() as scheduler:
        parts = back_to_back(scheduler, number, 2)
    assert sum(parts[lap] for lap in LAPS) == pytest.approx(parts[WALL])
    assert parts[MAIN] == pytest.approx(parts[WALL] - parts["wait"])


def test_means_are_taken_part_by_part() -> None:
    assert mean_parts([{"a": 1.0, "b": 4.0}, {"a": 3.0, "b": 4.0}]) == {"a": 2.0, "b": 4.0}
