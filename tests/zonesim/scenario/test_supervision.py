from __future__ import annotations

import msgspec
import pytest

from zonesim.scenario.supervision import (
    LONGEST_BEAT_S,
    SHORTEST_BEAT_S,
    SHORTEST_SILENCE_S,
    Supervision,
    beat_s,
)


@pytest.mark.parametrize(
    "wrong",
    [{"retries": 3}, {"restarts": 2.5}, {"window_s": 0}, {"missed_beats": 0}, {"backoff_s": 61}],
    ids=str,
)
def test_unknown_keys_and_values_out_of_bounds_are_refused(wrong):
    assert msgspec.convert({}, Supervision) == Supervision()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Supervision)


@pytest.mark.parametrize(
    ("missed_beats", "period_s", "silence_s"),
    [
        (3, 0.4, 1.2),
        (3, 0.02, SHORTEST_SILENCE_S),
        (3, 60.0, 3 * LONGEST_BEAT_S),
        (1, 0.8, 1.5),  # one and a half heartbeats at least
        (1, 60.0, 3.75),
    ],
)
def test_a_process_may_be_silent_for_some_periods(missed_beats, period_s, silence_s):
    assert Supervision(missed_beats=missed_beats).silence_s(period_s) == pytest.approx(silence_s)


@pytest.mark.parametrize(
    ("period_s", "after_s"), [(0.02, SHORTEST_BEAT_S), (0.4, 0.5), (60, LONGEST_BEAT_S)]
)
def test_a_heartbeat_follows_a_little_more_than_a_period_after_the_last_report(period_s, after_s):
    assert beat_s(period_s) == pytest.approx(after_s)


def test_hung_workers_are_replaced_before_the_zone_that_waits_for_them():
    assert Supervision(worker_hang_s=30.0).tick_bound_s == 120.0
    assert Supervision(worker_hang_s=600.0, tick_hang_s=5.0).tick_bound_s == 5.0
