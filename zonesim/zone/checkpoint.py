"""Checkpoints of zones: a restarted zone continues from its latest one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import trio

from zonesim.system.text import write_whole
from zonesim.wire.messages import Saving, SlowDisk, ZoneEvent, zone_event

RETRY_S = 0.2


class CheckpointError(Exception):
    """A zone cannot be restored from its checkpoint; one line with the reason and the remedy."""


class Checkpoint(msgspec.Struct, frozen=True):
    """The state of a zone between two ticks."""

    tick: int  # the last one that ran; -1 before the first
    world_hash: int  # of the world after that tick
    snapshot: bytes
    adopted: tuple[int, ...] = ()  # the latest player transfers that it includes
    released: bytes | None = None  # players that have left for another zone
    life: int = 0


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint; raises OSError, and leaves the existing one then."""
    # No fsync: it serves the next process of this run, not the time after a power failure.
    write_whole(path, msgspec.msgpack.encode(checkpoint), mode=0o600)


def load(path: Path) -> Checkpoint | None:
    """Return the checkpoint; None if there is none. Raises CheckpointError if it is unusable."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint, but {error}; the zone starts from the beginning"
        ) from error


def checkpoint_path(directory: str | Path, zone: int) -> Path:
    """Where the checkpoint of a zone is kept."""
    return Path(directory) / f"zone-{zone}.checkpoint"


class CheckpointStore:
    """Saves and loads the zones of a process; a thread writes, so that no tick waits for the disk.

    ``flush_rows`` is awaited before each write: no checkpoint may be ahead of the reported ticks.
    ``on_event`` gets an event when a zone cannot be saved.
    """

    def __init__(
        self,
        saving: Saving,
        flush_rows: Callable[[], Awaitable[None]],
        on_event: Callable[[ZoneEvent], None],
    ) -> None:
        self._saving = saving
        self._flush_rows = flush_rows
        self._on_event = on_event
        self._slow = saving.slow
        self._unsaved: dict[int, Checkpoint] = {}  # by zone, the latest one
        self._writing: dict[int, trio.Lock] = {}
        self._failing: set[int] = set()

    def load(self, zone: int) -> Checkpoint | None:
        """The latest checkpoint of a zone; raises CheckpointError if it is unusable."""
        return load(checkpoint_path(self._saving.directory, zone))

    def is_due(self, zone: int, next_tick: int) -> bool:
        """Whether to save a zone before this tick. Zones take turns, by their numbers."""
        every = self._saving.every_ticks
        if not every or (next_tick + zone) % every:
            return False
        lock = self._writing.get(zone)
        return lock is None or not lock.locked()  # on a slow disk, skip this one

    def slow_down(self, delay_s: float, until_ns: int) -> None:
        """Make each write take longer, until a moment of the monotonic clock."""
        self._slow = SlowDisk(delay_s, until_ns)

    def put(self, zone: int, checkpoint: Checkpoint) -> None:
        """Set what the next ``save`` writes."""
        self._unsaved[zone] = checkpoint

    async def save(self, zone: int) -> bool:
        """Write the latest checkpoint of a zone; return whether it is on disk."""
        async with self._writing.setdefault(zone, trio.Lock()):
            checkpoint = self._unsaved.pop(zone, None)
            if checkpoint is None:
                return True  # another task has written it
            await self._flush_rows()
            try:
                await trio.to_thread.run_sync(self._write, zone, checkpoint)
            except OSError as error:
                self._unsaved.setdefault(zone, checkpoint)
                if zone not in self._failing:
                    self._failing.add(zone)
                    why = f"the checkpoint cannot be written: {error.strerror}; it will be retried"
                    self._on_event(zone_event("checkpoint-unwritable", zone, why))
                return False
            self._failing.discard(zone)
            return True

    async def save_with_retries(self, zone: int, saved: trio.Event) -> None:
        """Write the checkpoint, retrying for as long as the disk fails; then set ``saved``."""
        while not await self.save(zone):  # noqa: ASYNC110 - no disk reports when it has room
            await trio.sleep(RETRY_S)
        saved.set()

    def _write(self, zone: int, checkpoint: Checkpoint) -> None:
        slow = self._slow
        if time.monotonic_ns() < slow.until_ns:
            time.sleep(slow.delay_s)
        save(checkpoint_path(self._saving.directory, zone), checkpoint)
