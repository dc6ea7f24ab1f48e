"""One zone: a world, the scheduler that runs it, and the figures of each tick."""

from __future__ import annotations

import os

import msgspec
import trio

import corororo as cr
from corororo.abc import TransferSource
from zonesim.wire.messages import TickRow, WorkerTotals
from zonesim.workloads import make_world
from zonesim.workloads.base import World, ZoneSpec, rehearsal_of
from zonesim.zone.checkpoint import Checkpoint, CheckpointError
from zonesim.zone.schedule import Schedule

ADOPTED_KEPT = 1_024  # transfers remembered, since the controller may repeat one


class Zone:
    """Ticks one world. ``garbage`` is the process's SlackCollector.

    With ``resume`` it continues after that checkpoint; raises CheckpointError for a checkpoint of
    another zone. ``life`` counts how often the zone was created after having been drained.
    """

    def __init__(
        self,
        spec: ZoneSpec,
        pool: TransferSource,
        garbage: cr.SlackCollector,
        resume: Checkpoint | None = None,
        life: int = 0,
    ) -> None:
        self.spec = spec
        self.world = make_world(spec)
        self.ticking = False
        self._stage: World | None = None  # the world that rehearses
        self._rehearsals = 0
        self.next_tick = 0
        self._pid = os.getpid()
        self._life = life
        self.adopted: tuple[int, ...] = ()  # the latest player transfers
        self.released: bytes | None = None  # players that have left: new ones may not enter
        if resume is not None:
            _restore(self.world, spec.zone, resume)
            self.next_tick = resume.tick + 1
            self.adopted = resume.adopted
            self.released = resume.released if resume.life == life else None
        self._pool, self._garbage = pool, garbage
        if life > 1 and (resume is None or (resume.life != life and resume.released is None)):
            # Its players were released in the previous life, though that could not be saved.
            self.world.release_players()
        self.scheduler = self._open_scheduler()
        self.worker_use: list[WorkerTotals] = []  # in the latest tick
        self._tasks = 0

    @property
    def progress(self) -> tuple[int, ...]:
        """Counters; one of them changes while the current tick makes progress."""
        done = self.scheduler.statistics()
        counts = (done.async_tasks_taken, done.async_tasks_retried, done.tasks_finished)
        return (self.next_tick, *counts)

    def _open_scheduler(self) -> cr.Scheduler:
        # Without workers a tick shows what the work costs, and not what encoding it would.
        return cr.Scheduler(self._pool, inline="direct", garbage=self._garbage)

    async def rehearse(self, until_s: float) -> None:
        """Run the next tick of a second world; ``until_s`` is on trio's clock.

        It warms up memory pages, the code in the workers and the batch sizes. Without it a hundred
        zones are late for their first seconds.
        """
        self._stage = self._stage or make_world(rehearsal_of(self.spec))
        with trio.move_on_at(until_s) as scope:
            self.scheduler.schedule(self._stage.tick(self._rehearsals))
            await self.scheduler.run_tick()
        self._rehearsals += 1
        if scope.cancelled_caught:  # discard late replies
            self.scheduler.close()
            self.scheduler = self._open_scheduler()

    def end_rehearsals(self) -> None:
        """Discard the second world."""
        self._stage = None

    async def tick(self, schedule: Schedule | None) -> TickRow:
        """Run the next tick of the world and move the schedule on.

        Without a schedule the tick is due when it starts. What the tick raises ends the zone.
        """
        number = self.next_tick
        self.next_tick += 1
        self._tasks = 0
        self.ticking = True
        self.scheduler.schedule(self._run_world(number))
        carry = self.spec.late == "carry"
        report = await self.scheduler.run_tick(
            self.spec.period_s if carry else None, "carry" if carry else "wait"
        )
        self.ticking = False
        self.worker_use = [WorkerTotals(*use) for use in report.worker_use]
        world_hash = self.world.world_hash()
        scheduled_ns = report.started_ns if schedule is None else schedule.due_ns
        late, missed = (False, 0) if schedule is None else schedule.finish(report.finished_ns)
        return TickRow(
            zone=self.spec.zone,
            tick=number,
            scheduled_ns=scheduled_ns,
            started_ns=report.started_ns,
            finished_ns=report.finished_ns,
            late=late,
            missed=missed,
            busy_ns=report.cpu_ns,
            waiting_ns=report.wait_ns,
            step_ns=report.step_ns,
            encode_ns=report.encode_ns,
            resume_ns=report.resume_ns,
            gc_ns=report.gc_ns,
            tasks=self._tasks,
            async_submitted=report.async_tasks_sent,
            async_completed=report.async_tasks_taken - report.async_tasks_failed,
            async_failed=report.async_tasks_failed,
            batches=report.batches,
            retried=report.async_tasks_retried,
            carried=report.async_tasks_carried,
            entities=self.world.entities,
            players=self.world.players,
            world_hash=world_hash,
            pid=self._pid,
        )

    def checkpoint(self) -> Checkpoint:
        """The state after the latest tick; only between ticks.

        Replies that ``late = "carry"`` left outstanding are not part of it.
        """
        return Checkpoint(
            self.next_tick - 1,
            self.world.world_hash(),
            self.world.snapshot(),
            self.adopted,
            self.released,
            self._life,
        )

    def adopt(self, number: int, players: bytes) -> None:
        """Take players in, only between ticks; a repeated transfer changes nothing."""
        if number not in self.adopted:
            self.world.adopt_players(players)
            self.adopted = (*self.adopted, number)[-ADOPTED_KEPT:]

    def release(self) -> bytes:
        """Release all players, only between ticks; a repeated call returns the same ones."""
        if self.released is None:
            self.released = self.world.release_players()
        return self.released

    async def _run_world(self, number: int) -> None:
        # Counted when it ends: a carried tick counts in the tick that ends it.
        self._tasks += await self.world.tick(number)


def _restore(world: World, zone: int, checkpoint: Checkpoint) -> None:
    """Restore a new world from a checkpoint."""
    prefix = f"zone {zone} cannot be restored from its checkpoint of tick {checkpoint.tick}"
    try:
        world.restore(checkpoint.snapshot)
    except (ValueError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{prefix}: {error}") from error
    if (found := world.world_hash()) != checkpoint.world_hash:
        raise CheckpointError(
            f"{prefix}: expected a world of hash {checkpoint.world_hash:016x}, found {found:016x}; "
            "it starts from the beginning"
        )
