from __future__ import annotations

import random

import pytest

from zonesim.results.recovery import Recovery, recovery_of
from zonesim.results.saved_run import Event
from zonesim.wire.messages import TickRow

MS = 1_000_000


def event(at_ns: int, kind: str, zone: int | None = None) -> Event:
    return Event(1, at_ns, kind, "", zone)


EVENTS = [
    event(10, "zone-died", 3),
    event(12, "worker-died"),
    event(15, "zone-restarted", 3),
    *(event(20, "zone-died", zone) for zone in (4, 5)),
    *(event(25, "zone-quarantined", zone) for zone in (4, 5)),
    event(30, "zone-died", 3),
    event(31, "fault", 9),
]


@pytest.mark.parametrize(
    ("events", "unhealthy"),
    [(EVENTS[:3], 0), (EVENTS, 3), ([*EVENTS, event(40, "zone-restarted", 3)], 2)],
)
def test_zones_that_died_and_did_not_come_back_are_unhealthy(events, unhealthy):
    assert recovery_of([], events).zones_unhealthy == unhealthy


def rows(*ticks_and_ends_ms: tuple[int, float], zone: int = 0) -> list[TickRow]:
    plain = dict.fromkeys(TickRow.__struct_fields__, 0) | {"zone": zone}
    return [
        TickRow(
            **plain
            | {
                "tick": tick,
                "started_ns": int((end_ms - 5) * MS),
                "finished_ns": int(end_ms * MS),
            }
        )
        for tick, end_ms in ticks_and_ends_ms
    ]


@pytest.mark.parametrize(
    ("ran", "deaths_ms", "expected"),
    [
        pytest.param([], [], Recovery(), id="no rows"),
        pytest.param([(7, 10), (0, 1310)], [], Recovery(), id="no death"),
        pytest.param([(7, 10), (8, 410), (9, 1310)], [600], Recovery(0, 710.0), id="none redone"),
        pytest.param([(7, 10), (8, 410), (6, 1310)], [600], Recovery(0, 710.0, 3), id="redone"),
        pytest.param([(7, 10), (5, 2010)], [110, 1010], Recovery(0, 1900.0, 3), id="died again"),
        pytest.param([(0, 910)], [10], Recovery(0, 900.0), id="died before its first tick"),
        pytest.param([(7, 10)], [110], Recovery(), id="never ticked again"),
    ],
)
def test_recovery_runs_from_a_death_to_the_end_of_the_next_tick(ran, deaths_ms, expected):
    events = [event(ms * MS, "zone-died", 0) for ms in deaths_ms]
    assert recovery_of(rows(*ran), [*events, event(3000 * MS, "zone-restarted", 0)]) == expected


def test_the_worst_of_all_zones_counts():
    all_rows = rows((3, 10), (3, 310)) + rows((3, 10), (1, 110), zone=4)
    random.Random(1).shuffle(all_rows)
    events = [event(10 * MS, "zone-died", zone) for zone in (0, 4)]
    assert recovery_of(all_rows, events) == Recovery(2, 300.0, 3)
