"""One row per tick of a zone: what the zone counted, where the truth is. Knows no files."""

from __future__ import annotations

import msgspec


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
    missed: int  # due ticks that never ran, because this one or those before took their time
    busy_ns: int  # main thread: finished - started - waiting
    waiting_ns: int
    step_ns: int
    encode_ns: int
    resume_ns: int
    gc_ns: int  # garbage collection inside the tick
    cpu_ns: int  # CPU time of the process between started and finished
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
