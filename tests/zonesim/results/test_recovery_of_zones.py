from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.results.recovery import Recovery, recovery_of
from zonesim.wire.ticks import TickRow

MS = 1_000_000


def row(tick: int, finished_ms: float, zone: int = 0) -> TickRow:
    times = {"started_ns": int((finished_ms - 5) * MS), "finished_ns": int(finished_ms * MS)}
    names = TickRow.__struct_fields__
    return TickRow(**{**dict.fromkeys(names, 0), "zone": zone, "tick": tick, **times})


def rows(*ticks_and_ends_ms: tuple[int, float], zone: int = 0) -> list[TickRow]:
    return [row(tick, end_ms, zone) for tick, end_ms in ticks_and_ends_ms]


def test_a_run_without_deaths_has_recovered_from_nothing():
    undisturbed = rows(*((tick, 400.0 * tick + 10) for tick in range(5)))
    assert recovery_of(undisturbed) == recovery_of(undisturbed, {}) == Recovery()
    assert recovery_of([]) == Recovery(0, 0.0, 0)


def test_a_tick_number_that_goes_back_gives_a_death_away():
    found = recovery_of(rows((7, 10), (8, 410), (6, 1310), (7, 1320)))
    assert found == Recovery(recovery_ms_max=900.0, redone_ticks_max=3)


def test_ticks_that_nobody_has_told_of_are_not_redone():
    found = recovery_of(rows((7, 10), (10, 1310)))
    assert found == Recovery(recovery_ms_max=1300.0, redone_ticks_max=0)


def test_a_known_death_counts_from_its_moment_even_where_numbers_show_none():
    told = rows((7, 10), (8, 410), (9, 1310))
    assert recovery_of(told, {0: [600 * MS]}) == Recovery(recovery_ms_max=710.0)
    assert recovery_of(told) == Recovery()


def test_where_deaths_are_known_numbers_alone_tell_of_none():
    anew = rows((7, 10), (0, 1310))
    assert recovery_of(anew, {}) == recovery_of(anew, {1: [20 * MS]}) == Recovery()


def test_a_zone_that_dies_again_before_its_first_tick_recovers_from_both():
    found = recovery_of(rows((7, 10), (5, 2010)), {0: [110 * MS, 1010 * MS]})
    assert found == Recovery(recovery_ms_max=1900.0, redone_ticks_max=3)


def test_a_zone_that_dies_before_it_has_run_any_tick_redoes_none():
    assert recovery_of(rows((0, 910)), {0: [10 * MS]}) == Recovery(recovery_ms_max=900.0)


def test_a_death_that_nothing_comes_after_counts_as_unhealthy_alone():
    found = recovery_of(rows((7, 10)), {0: [110 * MS]}, zones_unhealthy=1)
    assert found == Recovery(zones_unhealthy=1)


def test_the_worst_of_all_zones_counts():
    told = rows((3, 10), (3, 310)) + rows((3, 10), (1, 110), zone=4)
    random.Random(1).shuffle(told)
    assert recovery_of(told) == Recovery(recovery_ms_max=300.0, redone_ticks_max=3)


def test_a_recovery_is_frozen():
    with pytest.raises(AttributeError):
        Recovery().zones_unhealthy = 1  # type: ignore[misc]
    assert msgspec.structs.asdict(Recovery()).keys() == {
        "zones_unhealthy",
        "recovery_ms_max",
        "redone_ticks_max",
    }


@given(
    deaths=st.lists(
        st.tuples(st.integers(1, 12), st.integers(0, 4), st.integers(1, 3000)), max_size=5
    )
)
def test_deaths_that_are_known_give_what_happened_and_numbers_an_upper_bound(deaths):
    """Each: ticks that ran before it, how many of them again after it, and the time it took."""
    told, died_ns, now_ms, tick = [], [], 10.0, 0
    redone_max, took_max, visible_max = 0, 0.0, 0
    for ran, redone, took_ms in deaths:
        for _ in range(ran):
            told.append(row(tick, now_ms))
            now_ms += 400
            tick += 1
        died_ns.append(int((now_ms - 300) * MS))
        redone = min(redone, ran)
        tick -= redone
        now_ms += took_ms - 300
        redone_max, took_max = max(redone_max, redone), max(took_max, took_ms)
        visible_max = max(visible_max, took_ms if redone else 0)
    told.append(row(tick, now_ms))

    known, guessed = recovery_of(told, {0: died_ns}), recovery_of(told)

    assert known.redone_ticks_max >= redone_max
    assert guessed.redone_ticks_max == known.redone_ticks_max
    assert known.recovery_ms_max == pytest.approx(took_max)
    assert guessed.recovery_ms_max >= visible_max
