"""The zone processes of a run: started, made to tick, drained and ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import trio

import corororo as cr
from corororo.processes import kill_forkserver, usable_cpus
from zonesim.controller.dispatcher import Dispatcher, OnTicks
from zonesim.controller.handovers import Handovers
from zonesim.controller.slots import SlotTable, ZoneState
from zonesim.processes.preload import ForkServerWatch
from zonesim.processes.slot import ProcessSlot, ZoneProcessHandle
from zonesim.processes.supervisor import CHECK_S, OnEvent, Supervisor
from zonesim.results.saved_run import Packing
from zonesim.scenario.loading import Scenario
from zonesim.system.errors import RunFailed
from zonesim.system.sessions import CONTROL
from zonesim.wire.channel import Listener
from zonesim.wire.messages import Halt, Stop, WorkerTotals
from zonesim.workloads.base import ZoneSpec

START_S = 10.0  # for the fork server to start a process
READY_S = 90.0  # for zone processes to come up, one that hangs and its replacement included


class Fleet:
    """All zone processes. ``serve`` runs beside everything else and is cancelled in the end.

    Raises RunFailed where no zone can continue, and where the workers have failed.
    """

    _nursery: trio.Nursery  # of all that runs while the fleet is served

    def __init__(
        self,
        scenario: Scenario,
        pool: cr.WorkerPool,
        on_ticks: OnTicks,
        on_event: OnEvent,
        packing: Packing | None = None,
    ) -> None:
        policy = scenario.supervision
        self.slots = SlotTable(policy)
        self._zones_per_process, self._packing = scenario.zones_per_process, packing
        self._on_event = on_event
        self._pool = pool
        self._socket_path = Path(pool.address) / CONTROL
        self._handovers = Handovers(on_event)
        self.dispatcher = Dispatcher(policy, pool, self.slots, self._handovers, on_ticks, on_event)
        self._supervisor = Supervisor(
            self._start,
            policy,
            scenario.period_ms / 1000,
            pool.workers == 0,
            self._note_death,
            self._note_given_up,
            on_event,
        )
        self._listener = Listener(
            self._socket_path,
            lambda pid: self.slots.awaited(pid) is not None,
            self.dispatcher.serve,
            lambda peer, reason: on_event("connection-refused", f"{peer}: {reason}"),
            lambda: any(slot.is_starting for slot in self.slots.all()),
        )
        self._starting = trio.CapacityLimiter(1)
        self._started: list[ZoneProcessHandle] = []  # whose end the fork server has not reported
        self._starts_at_once = max(1, usable_cpus() // 2)  # while others tick
        self._last_given_up = "no process was given up"

    def work(self) -> list[WorkerTotals]:
        """What each worker has done for all zones so far."""
        return list(self.dispatcher.work.values())

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Accept the processes, take their messages, and keep each slot filled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self._listener.serve)
            nursery.start_soon(self._supervisor.watch, self.slots.all)
            nursery.start_soon(self._watch_fork_server)
            task_status.started()

    async def grow(self, specs: Sequence[ZoneSpec]) -> int:
        """Create those of these zones that there are not; wait until they can tick.

        Returns how many are new.

        While others tick, new processes start a few at a time, so that no zone is late for them.
        A zone whose slot has been given up is not created.
        """
        new = [spec for spec in specs if spec.zone not in self.slots.states()]
        slots = list(dict.fromkeys(self._place(spec) for spec in new))
        async with trio.open_nursery() as nursery:
            for slot in slots:
                if slot.is_supervised:
                    nursery.start_soon(self.dispatcher.assign, slot)
        for slot in [slot for slot in slots if not slot.is_supervised]:
            slot.is_supervised = True
            self._nursery.start_soon(self._supervisor.keep, slot)
            await trio.lowlevel.checkpoint()
            if self.dispatcher.leg is not None:
                await self.slots.until(lambda: self._coming_up(slots) < self._starts_at_once)
        with trio.move_on_after(READY_S) as scope:
            await self.slots.until(lambda: all(self.slots.is_settled(spec.zone) for spec in new))
        if scope.cancelled_caught:
            missing = sum(not slot.is_up for slot in slots)
            raise RunFailed(f"{missing} zone processes did not come up within {READY_S:.0f} s")
        return len(new)

    async def drain(self, zones: Sequence[int], heirs: Sequence[int]) -> None:
        """End zones when they have ticked, and hand their players to the heirs in turn.

        Returns when the heirs have the players, saved or, where the disk is slow, in memory, and
        the processes that hold no zones any more have been told to end.
        """
        slots, draining = self.slots, self.dispatcher.draining
        draining.update(zones)
        async with trio.open_nursery() as nursery:
            for slot in slots.slots_with(zones):
                nursery.start_soon(self.dispatcher.order_drain, slot)
        await slots.until(lambda: all(self._has_drained(zone) for zone in zones))
        # No checkpoint until the zones are out of their slots: a process that dies from here on
        # is not started again for them.
        draining.difference_update(zones)
        able = [zone for zone in heirs if not slots.is_given_up(zone)]
        sent = self._handovers.send_on(zones, able, self._arrival_ticks())
        adopts = list(sent.values())
        for zone in sorted(zones):
            how = "its process was given up" if slots.is_given_up(zone) else "it had no players"
            if zone in sent:
                how = f"its players go to zone {sent[zone].zone}"
            self._on_event("zone-drained", how, zones=[zone])
            adopts += self._handovers.redirect(zone, able, self._arrival_ticks())
        for slot in slots.remove_zones(zones):
            handle = slot.handle
            await slot.send(Stop())
            if handle is not None and not self.dispatcher.stopping:
                self._nursery.start_soon(handle.stop)
        await self.dispatcher.send_adopts(adopts)
        await slots.until(lambda: not self._handovers.any_awaited)

    async def until_done(self) -> None:
        """Wait until all zones have run the leg that was ordered last."""
        leg = self.dispatcher.leg
        if leg is not None:
            slots = self.slots.slots_with(leg.until)
            await self.slots.until(lambda: all(self._is_done(slot, leg.step) for slot in slots))
            self._check_any_left()

    async def halt(self) -> None:
        """End the leg that runs and all that are ordered later; start no process any more."""
        self.dispatcher.halting = self._supervisor.ending = True
        self.slots.notify()
        await self.dispatcher.send_all(Halt())

    def kill(self) -> None:
        """Kill all processes."""
        self._end()
        for slot in self.slots.all():
            slot.kill("the run ends")

    async def stop(self) -> None:
        """End all processes, and kill those that do not end."""
        self._end()
        await self.dispatcher.send_all(Stop())
        async with trio.open_nursery() as nursery:
            for slot in self.slots.all():
                if slot.handle is not None:
                    nursery.start_soon(slot.handle.stop)
        if any(not handle.has_ended() for handle in self._started):
            kill_forkserver()  # it hangs, and this process would wait for its report at exit

    def _end(self) -> None:
        self.dispatcher.stopping = self._supervisor.ending = True
        for slot in self.slots.all():
            slot.retiring = True

    def _place(self, spec: ZoneSpec) -> ProcessSlot:
        slot = self.slots.add_zone(spec, self._number_for(spec.zone))
        self.dispatcher.lives[spec.zone] += 1
        self._handovers.forget(spec.zone)
        if slot.quarantined:
            self.slots.move(spec.zone, ZoneState.UNHEALTHY)
            self._on_event("zone-quarantined", "its process was given up", zones=[spec.zone])
        return slot

    def _number_for(self, zone: int) -> int:
        """The number of the slot that holds a zone."""
        if self._packing is not None:  # in turn, so that in every step all have as many
            return zone % self._packing.processes
        return zone // int(self._zones_per_process)

    def _coming_up(self, slots: Iterable[ProcessSlot]) -> int:
        """Count the slots whose process has been started and whose zones cannot tick yet."""
        is_settled = self.slots.is_settled
        return sum(slot.is_supervised and not all(map(is_settled, slot.specs)) for slot in slots)

    def _has_drained(self, zone: int) -> bool:
        return all(zone in s.drained or s.quarantined for s in self.slots.slots_with([zone]))

    def _arrival_ticks(self) -> dict[int, int | None]:
        """Where ticks are counted, players arrive after the last tick of the leg."""
        leg = self.dispatcher.leg
        return {} if leg is None else leg.until

    def _is_done(self, slot: ProcessSlot, step: int) -> bool:
        halted = self.dispatcher.halting and not slot.is_up
        return slot.step_done == step or slot.quarantined or halted

    async def _start(self, slot: ProcessSlot) -> ZoneProcessHandle:
        start = partial(
            ZoneProcessHandle, slot.number, slot.title, self._socket_path, self._pool.address
        )
        async with self._starting:  # one after another: the wait for it is not part of START_S
            with trio.move_on_after(START_S):
                # In a thread: a fork server that hangs must not hold up the supervisor.
                handle = await trio.to_thread.run_sync(start, abandon_on_cancel=True)
                self._started = [*(one for one in self._started if not one.has_ended()), handle]
                return handle
            kill_forkserver()  # the next start brings up a new one
        raise TimeoutError(f"the fork server started nothing within {START_S:.0f} s")

    async def _watch_fork_server(self) -> None:
        watch = ForkServerWatch()
        while True:
            await trio.sleep(CHECK_S)
            pid = watch.dead_pid()
            if pid is not None and not self.dispatcher.stopping:
                self._on_event("fork-server-died", "the next start brings up another one", pid=pid)

    def _note_death(self, slot: ProcessSlot) -> None:
        for zone in slot.specs:
            self.slots.move(zone, ZoneState.UNHEALTHY)
        self._pool.remove_rings_left_behind()  # to make room for those of the replacement
        self.dispatcher.check_pool()
        self.slots.notify()

    def _note_given_up(self, slot: ProcessSlot, why: str) -> None:
        staying = self.slots.states().keys() - self.dispatcher.draining
        heirs = [zone for zone in sorted(staying) if not self.slots.is_given_up(zone)]
        for zone in slot.specs:
            adopts = self._handovers.redirect(zone, heirs, self._arrival_ticks())
            self._nursery.start_soon(self.dispatcher.send_adopts, adopts)
        self._last_given_up = f"{slot.title} {why}"
        self._check_any_left()
        self.slots.notify()

    def _check_any_left(self) -> None:
        slots = self.slots.all()
        if slots and all(slot.quarantined for slot in slots):
            raise RunFailed(f"no zone is left: {self._last_given_up}")
