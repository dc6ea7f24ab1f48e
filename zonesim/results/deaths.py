"""What a run's events say: when zones died, which were dead in the end, why it broke off.

Knows no rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

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
    def zone(self) -> int | None: ...
    @property
    def detail(self) -> str: ...


def deaths_of(events: Iterable[Happened]) -> dict[int, list[int]]:
    """The moments at which processes of each zone died, in order."""
    found: dict[int, list[int]] = {}
    for event in events:
        if event.kind in _DEATHS and event.zone is not None:
            found.setdefault(event.zone, []).append(event.at_ns)
    return found


def unhealthy_of(events: Iterable[Happened]) -> list[int]:
    """The zones that died and have not come back, and still are wanted."""
    dead: set[int] = set()
    for event in events:
        if event.zone is not None and event.kind in _ENDS:
            dead.add(event.zone)
        elif event.zone is not None and event.kind in _RETURNS:
            dead.discard(event.zone)
    return sorted(dead)


def failure_of(events: Iterable[Happened]) -> str | None:
    """Why the run could not go on, in one line; None where it did."""
    return next((event.detail for event in events if event.kind == RUN_FAILED), None)
