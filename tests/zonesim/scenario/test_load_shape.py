from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.load_shape import (
    RampError,
    Step,
    Surge,
    guests_at,
    parse_steps,
)


def zones(text):
    return [step.zones for step in parse_steps(text)]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("5", [5]),
        ("1,2, 5", [1, 2, 5]),
        ("1..100:+10", [1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 100]),
        ("100..1:-25", [100, 75, 50, 25, 1]),
        ("1..3:+100", [1, 3]),
        ("7..7:+1", [7]),
        ("1,5,1..21:+10,3", [1, 5, 1, 11, 21, 3]),
    ],
)
def test_a_ramp_always_reaches_its_last_number(text, steps):
    assert zones(text) == steps


@pytest.mark.parametrize(("every", "seconds"), [("15s", 15.0), ("0.5 s", 0.5), ("1m30s", 90.0)])
def test_every_sets_the_duration_of_each_step_of_its_ramp(every, seconds):
    text = f"4,1..3:+1 every {every}"
    assert parse_steps(text) == (Step(4, None), *(Step(n, seconds) for n in (1, 2, 3)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'expected a number of zones or a ramp such as 1..100:+10 every 15s, found ""'),
        ("-1", 'found "-1"'),
        ("1..5:2", 'found "1..5:2"'),
        ("1..5:+1 every 3x", "expected a time such as 15s or 1m30s after every, found"),
        ("٣", "every 15s, found"),
        ("0", 'expected from 1 to 1000 zones, found "0"'),
        ("1..1001:+1", 'expected from 1 to 1000 zones, found "1..1001:+1"'),
        ("1..5:-1", 'expected :+N to go up from 1 to 5, found "1..5:-1"'),
        ("5..1:+1", 'expected :-N to go down from 5 to 1, found "5..1:+1"'),
        ("1..5:+0", "expected :+N to go up from 1 to 5, found"),
        ("1..5:+1 every 0s", "expected a time such as 15s or 1m30s after every, found"),
        ("1..5:+1 every 200h", "expected a time such as 15s or 1m30s after every, found"),
        ("9" * 5000, "every 15s, found"),
        ("1..1000:+1,1", "expected at most 1000 steps, found 1001"),
    ],
)
def test_invalid_steps_are_refused_with_what_was_expected_and_found(text, problem):
    with pytest.raises(RampError) as refused:
        parse_steps(text)
    assert problem in str(refused.value)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 2000))
def test_a_ramp_begins_and_ends_as_written_and_each_step_is_as_wide_as_written(first, last, by):
    sign = "-" if last < first else "+"
    found = zones(f"{first}..{last}:{sign}{by}")
    assert (found[0], found[-1]) == (first, last)
    widths = [abs(b - a) for a, b in pairwise(found)]
    assert all(width == by for width in widths[:-1])
    assert all(0 < width <= by for width in widths[-1:])


@pytest.mark.parametrize(
    ("surge", "counts"),
    [
        (Surge(first_tick=2, ticks=3, players=7), [0, 0, 7, 7, 7, 0, 0]),
        (Surge(1, 1, 4, every_ticks=3), [0, 4, 0, 0, 4, 0, 0, 4]),
        (Surge(0, 1, 1, every_ticks=2.5), [1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]),
    ],
    ids=["once", "repeated", "fractions of a tick"],
)
def test_guests_come_and_stay_for_their_ticks(surge, counts):
    assert [surge.guests(tick) for tick in range(len(counts))] == counts
    assert guests_at([surge, surge], 4) == 2 * counts[4]
