from __future__ import annotations

from zonesim.results.deaths import deaths_of, failure_of, unhealthy_of
from zonesim.results.saved_run import Event


def happened(at_ns: int, kind: str, zone: int | None = None) -> Event:
    return Event(1, at_ns, kind, "", zone)


STORY = [
    happened(10, "zone-died", 3),
    happened(12, "worker-died"),
    happened(15, "zone-restarted", 3),
    *(happened(20, "zone-died", zone) for zone in (4, 5, 6)),
    *(happened(25, "zone-quarantined", zone) for zone in (4, 5, 6)),
    happened(30, "zone-died", 3),
    happened(31, "fault", 9),
]


def test_each_zone_of_a_process_dies_with_it():
    assert deaths_of(STORY) == {3: [10, 30], 4: [20], 5: [20], 6: [20]}


def test_who_died_and_did_not_come_back_is_unhealthy():
    assert unhealthy_of(STORY[:3]) == []
    assert unhealthy_of(STORY) == [3, 4, 5, 6]
    assert unhealthy_of([*STORY, happened(40, "zone-restarted", 3)]) == [4, 5, 6]


def test_a_run_that_broke_off_says_why_in_one_line():
    assert failure_of(STORY) is None
    failed = Event(2, 50, "run-failed", "no zone is left: zone 3 died")
    assert failure_of([*STORY, failed]) == "no zone is left: zone 3 died"
