from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zonesim.controller.due_faults import FaultClock
from zonesim.scenario.faults import Fault, KillWorker, KillZone, StallZone, SurgeFault

S = 1_000_000_000


def strikes(clock: FaultClock, *moments_s: float) -> list[list[int]]:
    return [clock.take_due(round(moment_s * S)) for moment_s in moments_s]


def test_a_fault_at_a_time_is_due_once():
    clock = FaultClock([KillWorker(at_s=2), KillZone(at_s=1)])
    assert clock.next_ns() == S
    assert strikes(clock, 0.9, 1, 1.5, 2, 9) == [[], [1], [], [0], []]
    assert clock.next_ns() is None


def test_faults_that_are_due_together_come_in_the_order_of_the_scenario():
    clock = FaultClock([KillWorker(at_s=2), KillZone(at_tick=1), KillZone(at_s=1)])
    clock.note_tick(0, 5)
    assert clock.take_due(3 * S) == [0, 1, 2]


def test_a_rate_begins_after_its_time_or_when_it_says_and_ends_when_it_says():
    assert strikes(FaultClock([KillWorker(every_s=2)]), 0, 1.9, 2, 4) == [[], [], [0], [0]]
    clock = FaultClock([KillWorker(every_s=2, first_s=0, until_s=4)])
    assert strikes(clock, 0, 1, 2, 3, 4, 6) == [[0], [], [0], [], [], []]
    assert clock.next_ns() is None


def test_nothing_is_due_before_the_first_tick_is():
    assert strikes(FaultClock([KillWorker(at_s=0)]), -0.1, 0) == [[], [0]]


def test_who_asks_late_is_told_once_and_the_times_stay_what_they_were():
    clock = FaultClock([KillWorker(every_s=2)])
    assert strikes(clock, 9, 9.9, 10) == [[0], [], [0]]


def test_a_fault_at_a_tick_waits_for_its_zone_or_for_the_first_of_all():
    clock = FaultClock([StallZone(at_tick=3, zone=1), KillWorker(at_tick=3)])
    assert not clock.note_tick(0, 2)
    assert clock.note_tick(0, 3)
    assert clock.take_due(0) == [1]
    assert not clock.note_tick(0, 4)
    assert clock.note_tick(1, 7)
    assert strikes(clock, 0, 99) == [[0], []]
    assert clock.next_ns() is None


def test_a_zone_that_went_back_to_its_checkpoint_makes_nothing_due_again():
    clock = FaultClock([KillZone(at_tick=5, zone=0)])
    clock.note_tick(0, 5)
    assert strikes(clock, 0) == [[0]]
    assert not any(clock.note_tick(0, tick) for tick in (1, 4, 5, 6))


def test_the_ticks_of_a_surge_are_those_of_its_zone():
    clock = FaultClock([SurgeFault(at_tick=2, zone=1, players=1, for_s=1)])
    assert [clock.note_tick(zone, 2) for zone in (0, 1)] == [False, True]


TENTHS = st.integers(0, 100)


@given(
    faults=st.lists(
        st.one_of(
            TENTHS.map(lambda at: KillWorker(at_s=at / 10)),
            st.tuples(st.integers(1, 40), TENTHS, TENTHS).map(
                lambda t: KillZone(
                    every_s=t[0] / 10, first_s=t[1] / 10, until_s=(t[1] + t[2] + 1) / 10
                )
            ),
        ),
        max_size=4,
    ),
    steps=st.lists(st.integers(0, 30), max_size=20),
)
def test_each_fault_is_told_of_once_where_any_of_its_times_has_come(faults, steps):
    clock, before = FaultClock(faults), -1
    for now in (sum(steps[: n + 1]) for n in range(len(steps))):
        due = [n for n, fault in enumerate(faults) if due_between(fault, before, now)]
        assert clock.take_due(now * S // 10) == due
        before = now


def due_between(fault: Fault, after: int, up_to: int) -> bool:
    """Whether one of its times lies after a moment and up to another, all in tenths."""
    tenths = {
        name: round(value * 10)
        for name in ("at_s", "every_s", "first_s", "until_s")
        if (value := getattr(fault, name)) is not None
    }
    if "at_s" in tenths:
        return after < tenths["at_s"] <= up_to
    times = range(tenths["first_s"], tenths["until_s"], tenths["every_s"])
    return any(after < time <= up_to for time in times)
