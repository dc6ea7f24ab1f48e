from __future__ import annotations

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.surges import Surge, guests_at


def counts(surge: Surge, ticks: int) -> list[int]:
    return [surge.guests(tick) for tick in range(ticks)]


def test_guests_come_once_and_stay_for_so_many_ticks():
    assert counts(Surge(first_tick=2, ticks=3, players=7), 7) == [0, 0, 7, 7, 7, 0, 0]


def test_guests_come_again_and_again_until_a_tick():
    surge = Surge(first_tick=1, ticks=1, players=4, every_ticks=3, until_tick=7)
    assert counts(surge, 12) == [0, 4, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]


def test_those_who_have_come_stay_when_no_more_come():
    surge = Surge(first_tick=0, ticks=3, players=1, every_ticks=4, until_tick=5)
    assert counts(surge, 9) == [1, 1, 1, 0, 1, 1, 1, 0, 0]


def test_fractions_of_a_tick_between_two_beginnings_are_made_up_for_in_turn():
    surge = Surge(first_tick=0, ticks=1, players=1, every_ticks=2.5)
    assert [tick for tick in range(16) if surge.guests(tick)] == [0, 3, 5, 8, 10, 13, 15]


def test_guests_of_several_surges_add_up():
    surges = [Surge(0, 10, 3), Surge(5, 10, 4)]
    assert [guests_at(surges, tick) for tick in (0, 5, 10, 15)] == [3, 7, 4, 0]
    assert guests_at((), 3) == 0


@given(
    first=st.integers(0, 40),
    ticks=st.integers(1, 20),
    every_tenths=st.integers(10, 300) | st.none(),
    until=st.integers(1, 120) | st.none(),
    tick=st.integers(0, 200),
)
def test_guests_are_there_if_and_only_if_the_latest_beginning_is_not_long_ago(
    first, ticks, every_tenths, until, tick
):
    every = None if every_tenths is None else Fraction(every_tenths, 10)
    numbers = range(1 if every is None else 201)
    begins = [first + ceil(number * (every or 0)) for number in numbers]
    latest = max((b for b in begins if b <= tick and (until is None or b < until)), default=None)

    surge = Surge(first, ticks, 5, None if every is None else float(every), until)

    expected = latest is not None and tick < latest + ticks
    assert surge.guests(tick) == (5 if expected else 0)
