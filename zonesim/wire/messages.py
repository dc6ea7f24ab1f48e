"""The messages between the controller and its zone processes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zonesim.scenario.supervision import Supervision
from zonesim.system.text import encodable
from zonesim.workloads.base import ZoneSpec

REASON_CHARACTERS = 2_000
DETAIL_CHARACTERS = 20_000


class TickRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One executed tick of one zone, as the zone itself measured it.

    Times ending in ``_ns`` that name a moment (scheduled, started, finished) are on the
    machine-wide monotonic clock, so rows of different processes compare.
    """

    zone: int
    tick: int  # 0, 1, 2 … over the life of the zone
    scheduled_ns: int
    started_ns: int
    finished_ns: int
    late: bool  # finished after the next tick was due
    missed: int  # due ticks that never ran, because this tick or an earlier one took too long
    busy_ns: int  # CPU time of the main thread for this zone
    waiting_ns: int
    step_ns: int
    encode_ns: int
    resume_ns: int
    gc_ns: int  # garbage collection inside the tick
    tasks: int  # Tasks (coroutines on the main thread) run by this tick
    async_submitted: int
    async_completed: int
    async_failed: int
    batches: int
    retried: int  # AsyncTasks run again because their worker died
    carried: int  # AsyncTasks still out when the tick ended
    entities: int
    players: int
    world_hash: int  # 64 bits, unsigned: the zone's state after this tick
    pid: int = 0  # the process that ran it


class WorkerTotals(msgspec.Struct, frozen=True, array_like=True):
    """What one worker has done."""

    worker: int  # its number in the pool
    batches: int
    calls: int
    busy_ns: int


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Base of all messages; the tag on the wire is the name of the class."""


# -- from the controller


class SlowDisk(_Message, frozen=True):
    """Make each write of a checkpoint take longer, until a moment."""

    delay_s: float
    until_ns: int  # monotonic


class Saving(msgspec.Struct, frozen=True):
    """Where zones save their checkpoints, and how often."""

    directory: str
    every_ticks: int  # 0: only when players move between zones
    slow: SlowDisk = SlowDisk(0.0, 0)  # the fault that is active now


class Assign(_Message, frozen=True):
    """Create these zones, from their latest checkpoints where there are any."""

    zones: list[ZoneSpec]
    lives: dict[int, int]  # by zone: counts how often it was created after having been drained
    saving: Saving
    tick_hang_s: float = Supervision().tick_bound_s  # a tick without progress for so long hangs


class Leg(_Message, frozen=True):
    """Tick these zones until a bound.

    Zones that tick already take over the new bounds; zones that are not named end at ``start_ns``.
    """

    step: int
    origin_ns: int  # monotonic; the schedule of a zone follows from it and the zone's phase
    start_ns: int  # ticks that were due before are not run
    period_ns: int
    until: dict[int, int | None]  # by zone: the number of the first tick that it does not run
    end_ns: int | None  # ticks that are due then or later are not run
    realtime: bool


class Halt(_Message, frozen=True):
    """End the leg after the ticks that run now."""


class Drain(_Message, frozen=True):
    """Release the players of these zones once they have stopped ticking, and end the zones."""

    zones: list[int]


class Adopt(_Message, frozen=True):
    """Take in the players of another zone; ``number`` identifies the transfer."""

    number: int
    zone: int
    players: bytes
    next_tick: int = 0  # not before: a restarted zone may be behind


class Stop(_Message, frozen=True):
    """End the process."""


# -- from a zone process


class Ready(_Message, frozen=True):
    """The assigned zones exist."""

    next_ticks: dict[int, int]  # by zone, of all zones of the process


class Ticks(_Message, frozen=True):
    """Ticks that have run. They serve as the heartbeat."""

    rows: list[TickRow]
    workers: list[WorkerTotals]  # what each worker did in them


class LegDone(_Message, frozen=True):
    """All zones have reached the end of their leg."""

    step: int


class Beat(_Message, frozen=True):
    """Heartbeat of a process that has sent nothing else for a while."""


class Drained(_Message, frozen=True):
    """A zone has ended; these are its players. A restarted zone may send it again."""

    zone: int
    players: bytes
    adopted: tuple[int, ...] = ()  # the latest transfers that the players include


class Adopted(_Message, frozen=True):
    """The players of a transfer are in the zone."""

    number: int
    saved: bool = True  # in its checkpoint too; until then they are lost if the zone dies


class Failed(_Message, frozen=True):
    """The process cannot continue."""

    reason: str  # one line
    detail: str  # a traceback, or empty where the reason is enough
    hung: tuple[int, ...] = ()  # zones whose tick makes no progress


class ZoneEvent(_Message, frozen=True):
    """An event of a zone, for the event log."""

    kind: str
    zone: int
    detail: str


FromController = Assign | Leg | Halt | Stop | Drain | Adopt | SlowDisk
FromZones = Ready | Ticks | LegDone | Failed | Beat | Drained | Adopted | ZoneEvent


def failed(reason: str, detail: str, hung: tuple[int, ...] = ()) -> Failed:
    """Make a Failed of bounded size; the end of a traceback is what matters."""
    return Failed(
        encodable(reason)[:REASON_CHARACTERS], encodable(detail)[-DETAIL_CHARACTERS:], hung
    )


def zone_event(kind: str, zone: int, detail: str) -> ZoneEvent:
    """Make a ZoneEvent of bounded size."""
    return ZoneEvent(kind, zone, encodable(detail)[:REASON_CHARACTERS])


def add_by_worker(sums: dict[int, WorkerTotals], parts: Iterable[WorkerTotals]) -> None:
    """Add work to the sums, by worker number."""
    for part in parts:
        before = sums.get(part.worker, WorkerTotals(part.worker, 0, 0, 0))
        sums[part.worker] = WorkerTotals(
            part.worker,
            before.batches + part.batches,
            before.calls + part.calls,
            before.busy_ns + part.busy_ns,
        )


def process_title(zones: list[int]) -> str:
    """The title of a process, from its zone, or its first and last zone."""
    if len(zones) == 1:
        return f"zonesim zone {zones[0]}"
    are_all = zones[-1] - zones[0] < len(zones)
    return f"zonesim zones {zones[0]}{'-' if are_all else '...'}{zones[-1]}"
