"""What controller and zone processes tell each other. Knows neither end, nor how it travels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from zonesim.scenario.supervision import Supervision
from zonesim.system.text import encodable
from zonesim.wire.ticks import TickRow
from zonesim.workloads.base import ZoneSpec


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all messages share: immutable, and a field that is not known is another language."""


class Hello(_Message, frozen=True):
    """A zone process has come up."""

    host: int
    pid: int


class SlowDisk(_Message, frozen=True):
    """From now on and until then, each write of a checkpoint takes so much longer."""

    delay_s: float
    until_ns: int  # monotonic


class Saving(msgspec.Struct, frozen=True):
    """Where zones are saved, and how often."""

    directory: str
    every_ticks: int  # 0: only where players move from zone to zone
    slow: SlowDisk = SlowDisk(0.0, 0)  # what all others have been told of the disk


class Assign(_Message, frozen=True):
    """Make these zones: as they were saved last, or anew where they never were."""

    zones: list[ZoneSpec]
    lives: dict[int, int]  # by zone: a new number whenever it is wanted anew, after it was drained
    saving: Saving
    tick_hang_s: float = Supervision().tick_bound_s  # for a tick of which nothing comes


class Ready(_Message, frozen=True):
    """The zones assigned last are made."""

    next_ticks: dict[int, int]  # by zone, of all zones of the process


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
    hung: tuple[int, ...] = ()  # zones that wait for something that does not come


class Beat(_Message, frozen=True):
    """The process is well, and has had nothing else to say for a while."""


class Drain(_Message, frozen=True):
    """Hand over the players of these zones as soon as they tick no more, and end them."""

    zones: list[int]


class Drained(_Message, frozen=True):
    """A zone has ended; these are its players. Said again where it may not have been heard."""

    zone: int
    players: bytes
    adopted: tuple[int, ...] = ()  # the latest arrivals that are among them, by number


class Adopt(_Message, frozen=True):
    """Take in the players of another zone; the same number is the same players."""

    number: int
    zone: int
    players: bytes
    next_tick: int = 0  # not before this one is the next: a zone that came back may be behind


class Adopted(_Message, frozen=True):
    """They are in the zone. Said once they are in its checkpoint, and before if that takes long."""

    number: int
    saved: bool = True  # else a death of the zone takes them along: they have to be sent again


class Told(_Message, frozen=True):
    """Something for the list of events."""

    kind: str
    zone: int
    detail: str


# What may arrive at either end, once a zone process has said Hello.
FromZones = Ready | Ticks | LegDone | Failed | Beat | Drained | Adopted | Told
FromController = Assign | Leg | Halt | Stop | Drain | Adopt | SlowDisk
Order = FromController

# The bytes that a message may have at most, by its kind. A stranger gets to say Hello and no more.
BYTES_MAX: Final[dict[type[msgspec.Struct], int]] = {
    Hello: 128,
    Ready: 1 << 16,
    LegDone: 128,
    Failed: 1 << 18,
    Ticks: 4 << 20,
    Assign: 16 << 20,
    Leg: 1 << 20,
    Halt: 128,
    Stop: 128,
    Beat: 128,
    Drain: 1 << 16,
    Drained: 4 << 20,
    Adopt: (4 << 20) + 64,  # what was Drained, and whose it is
    Adopted: 128,
    SlowDisk: 128,
    Told: 1 << 16,
}
REASON_CHARACTERS = 2_000
DETAIL_CHARACTERS = 20_000


def failed(reason: str, detail: str) -> Failed:
    """A Failed that can be sent, whatever its texts hold: the end of a traceback says most."""
    return Failed(encodable(reason)[:REASON_CHARACTERS], encodable(detail)[-DETAIL_CHARACTERS:])


def told(kind: str, zone: int, detail: str) -> Told:
    """A Told that can be sent, whatever its texts hold."""
    return Told(kind, zone, encodable(detail)[:REASON_CHARACTERS])


def add_by_worker(sums: dict[int, WorkerTotals], parts: Iterable[WorkerTotals]) -> None:
    """Add what was done to the sums, by worker number."""
    for part in parts:
        whole = sums.get(part.worker) or WorkerTotals(part.worker, 0, 0, 0)
        sums[part.worker] = WorkerTotals(
            part.worker,
            whole.batches + part.batches,
            whole.calls + part.calls,
            whole.busy_ns + part.busy_ns,
        )


def done_since(before: dict[int, WorkerTotals], now: dict[int, WorkerTotals]) -> list[WorkerTotals]:
    """What was done between two sums, by those that did anything."""
    done = []
    for number, whole in now.items():
        part = before.get(number) or WorkerTotals(number, 0, 0, 0)
        if whole != part:
            done.append(
                WorkerTotals(
                    number,
                    whole.batches - part.batches,
                    whole.calls - part.calls,
                    whole.busy_ns - part.busy_ns,
                )
            )
    return done


def process_title(zones: list[int]) -> str:
    """What a process calls itself: by its zone, or by its first and last."""
    if len(zones) == 1:
        return f"zonesim zone {zones[0]}"
    return f"zonesim zones {zones[0]}-{zones[-1]}"
