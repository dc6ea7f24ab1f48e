"""What a run's events say: when zones died, which were dead in the end, why it broke off.

Knows no rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

_TITLE = re.compile(r"zonesim zones? (?P<first>\d+)(?:-(?P<last>\d+))?")
_DEATHS = frozenset({"zone-died"})
_ENDS = frozenset({"zone-died", "zone-quarantined"})
_RETURNS = frozenset({"zone-restarted", "zone-drained"})
RUN_FAILED = "run-failed"


class Happened(Protocol):
    """What is asked of an event."""

    @property
    def at_ns(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def detail(self) -> str: ...


def deaths_of(events: Iterable[Happened]) -> dict[int, list[int]]:
    """The moments at which processes of each zone died, in order."""
    found: dict[int, list[int]] = {}
    for event in events:
        if event.kind in _DEATHS:
            for zone in zones_of(event.subject):
                found.setdefault(zone, []).append(event.at_ns)
    return found


def unhealthy_of(events: Iterable[Happened]) -> list[int]:
    """The zones that died and have not come back, and still are wanted."""
    dead: set[int] = set()
    for event in events:
        if event.kind in _ENDS:
            dead.update(zones_of(event.subject))
        elif event.kind in _RETURNS:
            dead.difference_update(zones_of(event.subject))
    return sorted(dead)


def failure_of(events: Iterable[Happened]) -> str | None:
    """Why the run could not go on, in one line; None where it did."""
    return next((event.detail for event in events if event.kind == RUN_FAILED), None)


def zones_of(title: str) -> Iterator[int]:
    """The zones of a process, by its title; none where it is no zone process."""
    found = _TITLE.fullmatch(title)
    if found is not None:
        first = int(found["first"])
        yield from range(first, int(found["last"] or first) + 1)
