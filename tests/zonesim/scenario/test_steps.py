from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.steps import RampError, Step, parse_steps, says_how_long


def zones(text):
    return [step.zones for step in parse_steps(text)]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("5", [5]),
        ("1,2, 5", [1, 2, 5]),
        ("1..100:+10", [1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 100]),
        ("100..1:-25", [100, 75, 50, 25, 1]),
        ("10..30:+10", [10, 20, 30]),
        ("1..3:+100", [1, 3]),
        ("7..7:+1", [7]),
        ("1,5,1..21:+10,3", [1, 5, 1, 11, 21, 3]),
    ],
)
def test_a_ramp_goes_step_by_step_and_always_reaches_its_end(text, steps):
    assert zones(text) == steps


@pytest.mark.parametrize(
    ("every", "seconds"),
    [("15s", 15.0), (" 15 s", 15.0), (" 0.5s", 0.5), (" 250ms", 0.25), (" 2min", 120.0)],
)
def test_every_step_of_a_ramp_lasts_as_long_as_it_says(every, seconds):
    steps = parse_steps(f"4,1..3:+1 every {every.strip()}")
    assert steps == (Step(4, None), Step(1, seconds), Step(2, seconds), Step(3, seconds))


def test_a_text_says_how_long_where_one_of_its_ramps_does():
    assert says_how_long("1,2..4:+1 every 1s")
    assert not says_how_long("1,2..4:+1")
    assert not says_how_long("every 15s")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'expected a number of zones or a ramp such as 1..100:+10 every 15s, found ""'),
        ("1,,2", 'every 15s, found ""'),
        ("x", 'found "x"'),
        ("-1", 'found "-1"'),
        ("1..5", 'found "1..5"'),
        ("1..5:2", 'found "1..5:2"'),
        ("1..5:+1 every 3", 'found "1..5:+1 every 3"'),
        ("1..5:+1 every 3 hours", "every 15s, found"),
        ("٣", "every 15s, found"),
        ("0", 'expected from 1 to 1000 zones, found 0 in "0"'),
        ("1..1001:+1", 'expected from 1 to 1000 zones, found 1001 in "1..1001:+1"'),
        ("1..5:-1", 'expected :+N to go up from 1 to 5, found :-1 in "1..5:-1"'),
        ("5..1:+1", 'expected :-N to go down from 5 to 1, found :+1 in "5..1:+1"'),
        ("1..5:+0", "expected :+N to go up from 1 to 5, found :+0"),
        ("1..5:+1 every 0s", "expected every step to last above 0 and at most 604800 s"),
        ("1..5:+1 every 604801s", "expected every step to last above 0 and at most 604800 s"),
        ("9" * 5000, "expected a number of at most 9 digits"),
        ("1..1000:+1,1", "expected at most 1000 steps, found 1001"),
    ],
)
def test_what_is_no_ramp_is_refused_with_what_was_expected_and_found(text, problem):
    with pytest.raises(RampError) as refused:
        parse_steps(text)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 2000))
def test_a_ramp_begins_and_ends_as_written_and_each_step_is_as_wide_as_written(first, last, by):
    sign = "-" if last < first else "+"
    found = zones(f"{first}..{last}:{sign}{by}")
    assert (found[0], found[-1]) == (first, last)
    widths = [abs(b - a) for a, b in pairwise(found)]
    assert all(width == by for width in widths[:-1])
    assert all(0 < width <= by for width in widths[-1:])


@given(st.text(alphabet="0123456789.:+-, everyms", max_size=30))
def test_whatever_is_written_gives_steps_or_one_line(text):
    refused = ""
    try:
        assert parse_steps(text)
    except RampError as error:
        refused = str(error)
    assert "\n" not in refused
