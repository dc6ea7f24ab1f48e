"""One zone: a world, the scheduler that runs it, and what each tick cost. Waits for no due time."""

from __future__ import annotations

import os
import time

import msgspec
import trio

import corororo as cr
from corororo.abc import TransferSource
from zonesim.wire.messages import WorkerTotals, done_since
from zonesim.wire.ticks import TickRow
from zonesim.workloads import make_world
from zonesim.workloads.base import World, ZoneSpec, rehearsal_of
from zonesim.zone.checkpoint import Checkpoint, CheckpointError
from zonesim.zone.schedule import Schedule

ADOPTED_KEPT = 1_024  # an arrival may be announced again while it is one of so many


class Zone:
    """Ticks one world. ``garbage`` is the process's SlackCollector.

    With ``resume`` the world is the one of that checkpoint, and the next tick the one after it.
    A zone that is wanted anew gets another ``life``: whom it released in the last one is elsewhere.
    Raises CheckpointError where it is not a checkpoint of this zone.
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
        self.ticking = False  # between two ticks the world is whole: it may be saved and changed
        self._rehearsing = False
        self._rehearsed: dict[int, WorkerTotals] = {}  # done for this zone before it was ready
        self._number = 0
        self._pid = os.getpid()
        self._life = life
        self._adopted: tuple[int, ...] = ()
        self._released: bytes | None = None
        if resume is not None:
            _go_on(self.world, spec.zone, resume)
            self._number = resume.tick + 1
            self._adopted = resume.adopted
            self._released = resume.released if resume.life == life else None
        self._pool, self._garbage = pool, garbage
        if life > 1 and (resume is None or (resume.life != life and resume.released is None)):
            # What it gave away in its last life is elsewhere, though that could not be saved.
            self.world.release_players()
        self._scheduler = cr.Scheduler(pool, garbage=garbage)
        self._tasks = 0

    @property
    def next_tick(self) -> int:
        """The number of the tick that it runs next."""
        return self._number

    @property
    def progress(self) -> tuple[int, ...]:
        """Numbers of which one changes as long as anything comes of the tick that runs."""
        done = self._scheduler.statistics()
        counts = (done.async_tasks_taken, done.async_tasks_retried, done.tasks_finished)
        return (self._number, *counts)

    @property
    def adopted(self) -> tuple[int, ...]:
        """The latest arrivals of players, by number."""
        return self._adopted

    @property
    def has_released(self) -> bool:
        """Whether its players have been given away: who came now would be left behind."""
        return self._released is not None

    async def rehearse(self, until_s: float) -> None:
        """Run a tick of another world of the same kind, and throw it away; on trio's clock.

        What a first tick takes more than others belongs to coming up: pages of memory that are not
        shared any more, workers that run code for the first time, batches whose sizes have to be
        learnt. A hundred zones that began without it were late for their first seconds.
        """
        world = make_world(rehearsal_of(self.spec))
        self._rehearsing = True
        with trio.move_on_at(until_s) as scope:
            self._scheduler.schedule(world.tick(0))
            await self._scheduler.run_tick()
        if scope.cancelled_caught:  # workers that come up, or stand still; their answers are void
            self._scheduler.close()
            self._scheduler = cr.Scheduler(self._pool, garbage=self._garbage)
        self._rehearsed = self._totals()
        self._rehearsing = False

    async def tick(self, schedule: Schedule | None) -> TickRow:
        """Run the next tick of the world, and take it off the schedule.

        Without a schedule the tick is due when it starts, and nothing is due after it. What the
        tick raises ends the zone.
        """
        started_ns = time.monotonic_ns()
        cpu_ns = time.process_time_ns()
        number = self._number
        self._number += 1
        self._tasks = 0
        self.ticking = True
        self._scheduler.schedule(self._run_world(number))
        carry = self.spec.late == "carry"
        report = await self._scheduler.run_tick(
            self.spec.period_s if carry else None, "carry" if carry else "wait"
        )
        self.ticking = False
        world_hash = self.world.world_hash()
        finished_ns = time.monotonic_ns()
        scheduled_ns = started_ns if schedule is None else schedule.due_ns
        late, missed = (False, 0) if schedule is None else schedule.finish(finished_ns)
        return TickRow(
            zone=self.spec.zone,
            tick=number,
            scheduled_ns=scheduled_ns,
            started_ns=started_ns,
            finished_ns=finished_ns,
            late=late,
            missed=missed,
            busy_ns=finished_ns - started_ns - report.wait_ns,
            waiting_ns=report.wait_ns,
            step_ns=report.step_ns,
            encode_ns=report.encode_ns,
            resume_ns=report.resume_ns,
            gc_ns=report.gc_ns,
            cpu_ns=time.process_time_ns() - cpu_ns,
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
        """The state after the latest tick; only between two ticks.

        Answers that are still out, as ``late = "carry"`` leaves them, are not part of it: who
        waits for one asks again, or goes on without.
        """
        self._must_be_between_ticks("a checkpoint is taken")
        return Checkpoint(
            self._number - 1,
            self.world.world_hash(),
            self.world.snapshot(),
            self._adopted,
            self._released,
            self._life,
        )

    def adopt(self, number: int, players: bytes) -> None:
        """Take players in, between two ticks; those that came under this number are here."""
        self._must_be_between_ticks("players are taken in")
        if number not in self._adopted:
            self.world.adopt_players(players)
            self._adopted = (*self._adopted, number)[-ADOPTED_KEPT:]

    def release(self) -> bytes:
        """Give all players away, between two ticks; asked again, the same ones.

        So a checkpoint taken afterwards holds them neither twice nor not at all.
        """
        self._must_be_between_ticks("players are given away")
        if self._released is None:
            self._released = self.world.release_players()
        return self._released

    def worker_totals(self) -> list[WorkerTotals]:
        """What each worker has done for this zone so far, in ticks that count."""
        return [] if self._rehearsing else done_since(self._rehearsed, self._totals())

    def format_stacks(self) -> str:
        """Where the Tasks of the tick that runs stand."""
        return self._scheduler.format_stacks()

    def close(self) -> None:
        """End the scheduler; idempotent."""
        self._scheduler.close()

    def _totals(self) -> dict[int, WorkerTotals]:
        return {use.worker: WorkerTotals(*use) for use in self._scheduler.statistics().worker_use}

    def _must_be_between_ticks(self, what: str) -> None:
        if self.ticking:
            raise RuntimeError(
                f"{what} between two ticks, zone {self.spec.zone} is inside tick "
                f"{self._number - 1}; do it when the tick has ended"
            )

    async def _run_world(self, number: int) -> None:
        # Counted when it ends: a tick that is carried over counts in the tick that ends it.
        self._tasks += await self.world.tick(number)


def _go_on(world: World, zone: int, checkpoint: Checkpoint) -> None:
    """Make a new world the one of a checkpoint."""
    try:
        world.restore(checkpoint.snapshot)
    except (ValueError, msgspec.DecodeError) as error:
        raise CheckpointError(
            f"zone {zone} cannot go on from its checkpoint of tick {checkpoint.tick}: {error}"
        ) from error
    if (found := world.world_hash()) != checkpoint.world_hash:
        raise CheckpointError(
            f"zone {zone} cannot go on from its checkpoint of tick {checkpoint.tick}: expected a "
            f"world of hash {checkpoint.world_hash:016x}, found {found:016x}; start it anew"
        )
