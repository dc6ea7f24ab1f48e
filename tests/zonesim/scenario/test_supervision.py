"""What a scenario may say of supervision, and what follows from it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.supervision import (
    BEATS_ALLOWED,
    LONGEST_BEAT_S,
    SHORTEST_BEAT_S,
    SHORTEST_SILENCE_S,
    Supervision,
    beat_s,
)

BOUNDS = {
    "checkpoint_ticks": (0, 1_000_000),
    "missed_beats": (1, 1000),
    "restarts": (0, 1000),
    "backoff_s": (0, 60),
    "backoff_max_s": (0, 600),
}
PERIODS_S = st.floats(0.001, 600)


def read(**said: object) -> Supervision:
    """What a scenario says, as it is read."""
    return msgspec.convert(said, Supervision)


def test_where_nothing_is_said_zones_are_saved_and_started_again():
    assert read() == Supervision()
    assert Supervision().checkpoint_ticks > 0
    assert Supervision().restarts > 0


@pytest.mark.parametrize("name", BOUNDS)
def test_a_figure_may_be_as_large_or_small_as_its_bounds_and_no_more(name):
    smallest, largest = BOUNDS[name]
    assert getattr(read(**{name: smallest}), name) == smallest
    assert getattr(read(**{name: largest}), name) == largest
    for beyond in (smallest - 1, largest + 1):
        with pytest.raises(msgspec.ValidationError, match=name):
            read(**{name: beyond})


def test_a_window_has_to_be_longer_than_nothing_and_is_at_most_a_day():
    assert read(window_s=86_400).window_s == 86_400
    assert read(window_s=0.001).window_s == 0.001
    for beyond in (0, -1, 86_401):
        with pytest.raises(msgspec.ValidationError, match="window_s"):
            read(window_s=beyond)


@pytest.mark.parametrize(
    "said",
    [{"retries": 3}, {"restarts": "five"}, {"restarts": 2.5}, {"window_s": None}],
    ids=["unknown", "a word", "half a restart", "nothing"],
)
def test_anything_else_is_refused(said):
    with pytest.raises(msgspec.ValidationError):
        read(**said)


@pytest.mark.parametrize(
    ("missed_beats", "period_s", "silence_s"),
    [
        (3, 0.4, 1.2),
        (3, 1.0, 3.0),
        (3, 0.02, SHORTEST_SILENCE_S),
        (3, 60.0, 3 * LONGEST_BEAT_S),
        (100, 0.02, 2.0),
        (1, 0.4, SHORTEST_SILENCE_S),
    ],
)
def test_a_process_may_be_silent_for_so_many_periods(missed_beats, period_s, silence_s):
    assert Supervision(missed_beats=missed_beats).silence_s(period_s) == pytest.approx(silence_s)


@pytest.mark.parametrize(
    ("missed_beats", "period_s", "silence_s"),
    [(1, 0.8, 1.5), (1, 1.0, 1.875), (1, 2.0, 3.75), (1, 60.0, 3.75), (2, 1.0, 2.0)],
)
def test_a_process_may_be_silent_for_a_beat_and_a_half_however_few_may_be_missed(
    missed_beats, period_s, silence_s
):
    assert Supervision(missed_beats=missed_beats).silence_s(period_s) == pytest.approx(silence_s)


@given(st.integers(1, 999), PERIODS_S, PERIODS_S)
def test_silence_is_bounded_and_grows_with_the_period_and_with_the_beats(missed, one_s, other_s):
    short_s, long_s = sorted((one_s, other_s))
    policy = Supervision(missed_beats=missed)
    assert SHORTEST_SILENCE_S <= policy.silence_s(short_s) <= policy.silence_s(long_s)
    longest_s = max(SHORTEST_SILENCE_S, max(missed, BEATS_ALLOWED) * LONGEST_BEAT_S)
    assert policy.silence_s(long_s) <= longest_s
    assert policy.silence_s(long_s) <= Supervision(missed_beats=missed + 1).silence_s(long_s)


@pytest.mark.parametrize(
    ("period_s", "after_s"),
    [(0.02, SHORTEST_BEAT_S), (0.4, 0.5), (1.0, 1.25), (2.0, LONGEST_BEAT_S), (60, LONGEST_BEAT_S)],
)
def test_a_process_says_that_it_is_well_a_little_more_than_a_period_after_its_last_word(
    period_s, after_s
):
    assert beat_s(period_s) == pytest.approx(after_s)


@given(PERIODS_S, PERIODS_S)
def test_beats_are_bounded_and_grow_with_the_period(one_s, other_s):
    short_s, long_s = sorted((one_s, other_s))
    assert SHORTEST_BEAT_S <= beat_s(short_s) <= beat_s(long_s) <= LONGEST_BEAT_S


@given(st.floats(0.001, 1.9))
def test_ticks_in_time_come_before_the_next_beat(period_s):
    assert beat_s(period_s) > 1.05 * period_s


@given(st.integers(1, 1000), PERIODS_S)
def test_a_process_that_is_well_has_spoken_long_before_its_silence_says_otherwise(missed, period_s):
    assert 1.5 * beat_s(period_s) <= Supervision(missed_beats=missed).silence_s(period_s)


def test_workers_that_hang_are_replaced_before_the_zone_that_waits_for_them():
    for worker_hang_s in (1.0, 30.0, 600.0):
        assert read(worker_hang_s=worker_hang_s).tick_bound_s > 3 * worker_hang_s
    assert read(worker_hang_s=600.0, tick_hang_s=5.0).tick_bound_s == 5.0
