from __future__ import annotations

import msgspec
import pytest

from zonesim.controller.missed_gauge import MissedGauge
from zonesim.controller.zone_states import ZoneState
from zonesim.results.statistics import summarise_step
from zonesim.results.step_info import StepInfo
from zonesim.wire.ticks import TickRow
from zonesim.zone.phases import phase_ns

PERIOD_NS = 400_000_000
BEGIN_NS = 10**15
TIMED = StepInfo(1, 2, 2, 1, 400.0, "realtime", 4.0, origin_ns=BEGIN_NS, begin_ns=BEGIN_NS)
COUNTED = msgspec.structs.replace(TIMED, ticks=10)
WELL = dict.fromkeys(range(2), ZoneState.READY)
DEAD = {0: ZoneState.READY, 1: ZoneState.UNHEALTHY}


def at(periods: float) -> int:
    """A moment of the step."""
    return BEGIN_NS + round(periods * PERIOD_NS)


def rows(zone: int, *slots: int, tick: int | None = None, pid: int = 7) -> list[TickRow]:
    """Ticks at their due times; the first of them is number ``tick``."""
    plain = dict.fromkeys(TickRow.__struct_fields__, 0)
    first = slots[0] if tick is None else tick
    return [
        TickRow(
            **{
                **plain,
                "zone": zone,
                "tick": number,
                "pid": pid,
                "scheduled_ns": at(slot) + phase_ns(zone, PERIOD_NS),
            }
        )
        for number, slot in enumerate(slots, start=first)
    ]


def gauge_of(step: StepInfo) -> MissedGauge:
    until = {0: step.ticks or None, 1: step.ticks or None}
    return MissedGauge(step, until)


@pytest.mark.parametrize("step", [TIMED, COUNTED])
def test_what_a_zone_that_is_well_has_not_run_yet_it_may_yet_run(step):
    gauge = gauge_of(step)
    assert gauge.missed(WELL, at(3)) == 0
    gauge.take(rows(0, 0, 1, 2))
    gauge.take(rows(1, 0, 3, tick=0))
    assert gauge.missed(WELL, at(8)) == 2


@pytest.mark.parametrize("step", [TIMED, COUNTED])
def test_a_dead_zone_misses_ticks_while_it_is_dead_and_keeps_them_when_it_is_back(step):
    gauge = gauge_of(step)
    gauge.take(rows(0, 0) + rows(1, 0, 1))
    assert gauge.missed(DEAD, at(4)) == 2
    assert gauge.missed(DEAD, at(6)) == 4
    assert gauge.missed({**DEAD, 1: ZoneState.STARTING}, at(7)) == 5
    assert gauge.missed(WELL, at(8)) == 6  # it is back, and what was due until now is over
    gauge.take(rows(1, 8, tick=1, pid=8))
    assert gauge.missed(WELL, at(9)) == 6
    assert gauge.missed(DEAD, at(10)) == 7  # and dead once more


def test_a_zone_that_was_dead_between_two_looks_has_missed_what_was_due_meanwhile():
    gauge = gauge_of(TIMED)
    gauge.take(rows(1, 0, 1))
    gauge.take(rows(1, 4, tick=1, pid=8))
    assert gauge.missed(WELL, at(5)) == 2


def test_a_zone_that_never_comes_misses_all_that_is_due():
    gauge = gauge_of(TIMED)
    assert gauge.missed(DEAD, at(5)) == 5


def test_a_zone_that_is_given_up_misses_no_more_than_it_was_to_run():
    gauge = gauge_of(COUNTED)
    gauge.take(rows(1, 0, 1, 2))
    assert gauge.missed(DEAD, at(8)) == 5
    assert gauge.missed(DEAD, at(1000)) == 7


def test_nothing_is_missed_behind_the_end_of_a_step():
    gauge = gauge_of(msgspec.structs.replace(TIMED, end_ns=at(10)))
    gauge.take(rows(1, 0))
    assert gauge.missed(DEAD, at(1000)) == 9


@pytest.mark.parametrize("step", [msgspec.structs.replace(TIMED, end_ns=at(10)), COUNTED])
def test_it_says_at_the_end_of_a_step_what_its_summary_says(step):
    gauge = gauge_of(step)
    ran = [*rows(0, *range(10)), *rows(1, 0, 1, 2), *rows(1, 5, 6, tick=2, pid=8)]
    gauge.take(ran)
    gauge.end_at(step.end_ns)
    assert gauge.missed(DEAD, at(10)) == summarise_step(ran, step).missed


@pytest.mark.parametrize("step", [TIMED, COUNTED])
def test_nothing_is_missed_behind_the_moment_at_which_a_step_is_cut_short(step):
    gauge = gauge_of(step)
    gauge.take(rows(0, 0, 1, 2, 3, 4))
    gauge.take(rows(1, 0, 1, 2))
    gauge.end_at(at(5))
    assert gauge.missed(DEAD, at(9)) == 2


def test_what_a_zone_that_is_well_did_not_come_to_counts_when_the_step_is_over():
    step = msgspec.structs.replace(TIMED, end_ns=at(10))
    gauge = gauge_of(step)
    ran = [*rows(0, 0), *rows(1, 0, 4, tick=0)]
    gauge.take(ran)
    assert gauge.missed(WELL, at(12)) == 3
    gauge.end_at(step.end_ns)

    assert gauge.missed(WELL, at(12)) == 9 + 8
    assert summarise_step(ran, step).missed == 9 + 8
