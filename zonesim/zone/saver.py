"""Saves the zones of a process between their ticks. Knows files, and neither wire nor schedule.

A zone waits for no disk: its state is taken at once, and written by a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import trio

from zonesim.wire.messages import Saving, SlowDisk, Told, told
from zonesim.zone.checkpoint import Checkpoint, CheckpointError, load, save
from zonesim.zone.zone import Zone

Tell = Callable[[Told], None]

TRY_AGAIN_S = 0.2


def checkpoint_path(directory: str | Path, zone: int) -> Path:
    """Where a zone of a run is saved."""
    return Path(directory) / f"zone-{zone}.checkpoint"


class State(NamedTuple):
    """A zone as it was at a moment; of two of them the one of the later moment counts."""

    zone: int
    moment: int
    checkpoint: Checkpoint


class Saver:
    """For the zones of one process. ``tell`` hears, once, when a zone cannot be saved."""

    def __init__(self, saving: Saving, tell: Tell) -> None:
        self._saving = saving
        self._tell = tell
        self._writing: dict[int, trio.Lock] = {}
        self._refused: set[int] = set()
        self._moments = 0  # so far
        self._written: dict[int, int] = {}  # by zone: the moment of the state that is on the disk
        self._slow = saving.slow

    def load(self, zone: int) -> Checkpoint | None:
        """What was saved of a zone last; None where nothing was, or nothing can be used."""
        try:
            return load(checkpoint_path(self._saving.directory, zone))
        except CheckpointError as error:
            self.tell_unusable(zone, error)
            return None

    def tell_unusable(self, zone: int, error: CheckpointError) -> None:
        """A zone begins anew, and why."""
        self._tell(told("checkpoint-unusable", zone, str(error)))

    def is_due(self, zone: Zone) -> bool:
        """Whether a zone is to be saved after the tick that it has run; each at its own ticks."""
        every, number = self._saving.every_ticks, zone.spec.zone
        if not every or (zone.next_tick + number) % every:
            return False
        lock = self._writing.get(number)
        return lock is None or not lock.locked()  # else the disk is slow: the next time, then

    def slow_down(self, delay_s: float, until_ns: int) -> None:
        """Have each write take so much longer, until a moment of the monotonic clock."""
        self._slow = SlowDisk(delay_s, until_ns)

    def state_of(self, zone: Zone) -> State:
        """The state that a zone has now, to be saved."""
        self._moments += 1
        return State(zone.spec.zone, self._moments, zone.checkpoint())

    async def save(self, state: State) -> bool:
        """Write a state; whether it, or a later one, is on the disk now."""
        zone = state.zone
        async with self._writing.setdefault(zone, trio.Lock()):
            if self._written.get(zone, 0) > state.moment:
                return True  # tasks that were started together come here in any order
            try:
                await trio.to_thread.run_sync(self._write, zone, state.checkpoint)
            except OSError as error:
                self._refuse(zone, error)
                return False
            self._written[zone] = state.moment
            self._refused.discard(zone)
            return True

    async def save_surely(self, state: State, saved: trio.Event) -> None:
        """Write a state that others rely on, however long it is refused; then ``saved`` is set."""
        while not await self.save(state):  # noqa: ASYNC110 - no disk tells when it has room
            await trio.sleep(TRY_AGAIN_S)
        saved.set()

    def _write(self, zone: int, checkpoint: Checkpoint) -> None:
        slow = self._slow
        if time.monotonic_ns() < slow.until_ns:
            time.sleep(slow.delay_s)
        save(checkpoint_path(self._saving.directory, zone), checkpoint)

    def _refuse(self, zone: int, error: OSError) -> None:
        if zone not in self._refused:
            self._refused.add(zone)
            why = f"no checkpoint can be written: {error.strerror}; it is tried again"
            self._tell(told("checkpoint-unwritable", zone, why))
