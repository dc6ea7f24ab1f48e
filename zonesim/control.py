"""What controller and zone processes tell each other. Knows neither end, nor how it travels."""

from __future__ import annotations

from typing import Final

import msgspec

from zonesim.ticks import TickRow
from zonesim.workloads.base import ZoneSpec


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all messages share: immutable, and a field that is not known is another language."""


class Hello(_Message, frozen=True):
    """A zone process has come up."""

    host: int
    pid: int


class Assign(_Message, frozen=True):
    """Make these zones."""

    zones: list[ZoneSpec]


class Ready(_Message, frozen=True):
    """The zones assigned last are made."""

    zones: int


class Leg(_Message, frozen=True):
    """Tick these zones until a bound.

    Zones that tick already go on, with the bounds of this leg; those that it does not name end
    at its ``start_ns``.
    """

    step: int
    origin_ns: int  # monotonic; with the phase of each zone, this makes its schedule
    start_ns: int  # nothing that was due before runs
    period_ns: int
    until: dict[int, int | None]  # by zone: the number of the first tick that it runs no more
    end_ns: int | None  # nothing runs that is due then or later
    realtime: bool


class WorkerTotals(msgspec.Struct, frozen=True, array_like=True):
    """What one worker has done."""

    worker: int  # its number in the pool
    batches: int
    calls: int
    busy_ns: int


class Ticks(_Message, frozen=True):
    """Ticks that have run; a zone process sends them at once, and they are its heartbeat."""

    rows: list[TickRow]
    workers: list[WorkerTotals]  # those that did anything since the last message, and what


class LegDone(_Message, frozen=True):
    """All zones have run their leg."""

    step: int


class Halt(_Message, frozen=True):
    """End the leg after the ticks that run now."""


class Stop(_Message, frozen=True):
    """End the process."""


class Failed(_Message, frozen=True):
    """The process cannot go on."""

    reason: str  # one line
    detail: str  # a traceback, or nothing where the reason says it all


# What may arrive at either end, once a zone process has said Hello.
FromZones = Ready | Ticks | LegDone | Failed
FromController = Assign | Leg | Halt | Stop

# The bytes that a message may have at most, by its kind. A stranger gets to say Hello and no more.
BYTES_MAX: Final[dict[type[msgspec.Struct], int]] = {
    Hello: 128,
    Ready: 128,
    LegDone: 128,
    Failed: 1 << 18,
    Ticks: 4 << 20,
    Assign: 16 << 20,
    Leg: 1 << 20,
    Halt: 128,
    Stop: 128,
}
REASON_CHARACTERS = 2_000
DETAIL_CHARACTERS = 20_000


def failed(reason: str, detail: str) -> Failed:
    """A Failed that can be sent, whatever its texts hold: the end of a traceback says most."""
    return Failed(_sendable(reason)[:REASON_CHARACTERS], _sendable(detail)[-DETAIL_CHARACTERS:])


def _sendable(text: str) -> str:
    """Names of files may hold what no encoding takes."""
    return text.encode(errors="backslashreplace").decode()
