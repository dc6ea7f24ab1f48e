"""The zone processes of a run: started, made to tick, drained and ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import trio

import corororo as cr
from corororo.processes import kill_forkserver, usable_cpus
from zonesim.controller.dispatcher import Dispatcher, FleetPlan, OnTicks
from zonesim.controller.handovers import Handovers
from zonesim.controller.slots import SlotTable, ZoneState
from zonesim.processes.preload import ForkServerWatch
from zonesim.processes.slot import ProcessSlot, ZoneProcessHandle
from zonesim.processes.supervisor import CHECK_S, OnEvent, Supervisor
from zonesim.system.errors import RunFailed
from zonesim.wire.channel import Listener
from zonesim.wire.messages import Adopt, Halt, Leg, Stop, WorkerTotals
from zonesim.workloads.base import ZoneSpec

START_S = 10.0  # for the fork server to start a process
READY_S = 90.0  # for zone processes to come up, one that hangs and its replacement included


class Fleet:
    """All zone processes. ``serve`` runs beside everything else and is cancelled in the end.

    ``on_ticks`` gets the rows of ticks that have run. Raises RunFailed where no zone can continue,
    and where ``pool``, the workers, has failed.
    """

    _nursery: trio.Nursery  # of all that runs while the fleet is served

    def __init__(
        self,
        plan: FleetPlan,
        on_ticks: OnTicks,
        on_event: OnEvent,
        pool: cr.WorkerPool | None = None,
    ) -> None:
        self._plan = plan
        self._on_event = on_event
        self._pool = pool
        self._slots = SlotTable(plan.supervision)
        self._handovers = Handovers(on_event)
        self._dispatcher = Dispatcher(
            plan, self._slots, self._handovers, on_ticks, on_event, self._check_pool
        )
        self._supervisor = Supervisor(
            self._start,
            plan.supervision,
            plan.period_s,
            plan.inline,
            self._note_death,
            self._note_given_up,
            on_event,
        )
        self._listener = Listener(
            plan.socket_path,
            lambda pid: self._slots.awaited(pid) is not None,
            self._dispatcher.serve,
            lambda peer, reason: on_event("connection-refused", f"{peer}: {reason}"),
            lambda: any(slot.is_starting for slot in self._slots.all()),
        )
        self._starting = trio.CapacityLimiter(1)
        self._started: list[ZoneProcessHandle] = []  # whose end the fork server has not reported
        self._starts_at_once = max(1, usable_cpus() // 2)  # while others tick
        self._last_given_up = "no process was given up"

    # -- state

    def zone_states(self) -> dict[int, ZoneState]:
        """The state of each zone that there is."""
        return self._slots.states()

    def zone_pids(self) -> dict[int, int]:
        """The process of each zone that can tick."""
        return self._slots.zone_pids()

    def processes_of(self, leg: Leg) -> int:
        """How many processes hold the zones of a leg."""
        return len(self._slots.slots_with(leg.until))

    def work(self) -> list[WorkerTotals]:
        """What each worker has done for all zones so far."""
        return list(self._dispatcher.work.values())

    # -- operations

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Accept the processes, take their messages, and keep each slot filled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self._listener.serve)
            nursery.start_soon(self._supervisor.watch, self._slots.all)
            nursery.start_soon(self._watch_fork_server)
            task_status.started()

    async def grow(self, specs: Sequence[ZoneSpec], zones_per_process: int) -> None:
        """Create those of these zones that there are not; wait until they can tick.

        While others tick, new processes start a few at a time, so that no zone is late for them.
        A zone whose slot has been given up is not created.
        """
        new = [spec for spec in specs if spec.zone not in self._slots.states()]
        slots = list(dict.fromkeys(self._place(spec, zones_per_process) for spec in new))
        async with trio.open_nursery() as nursery:
            for slot in slots:
                if slot.is_supervised:
                    nursery.start_soon(self._dispatcher.assign, slot)
        for slot in [slot for slot in slots if not slot.is_supervised]:
            slot.is_supervised = True
            self._nursery.start_soon(self._supervisor.keep, slot)
            await trio.lowlevel.checkpoint()
            if self._dispatcher.leg is not None:
                await self._slots.until(lambda: self._coming_up(slots) < self._starts_at_once)
        with trio.move_on_after(READY_S) as scope:
            await self._slots.until(lambda: all(self._slots.is_settled(spec.zone) for spec in new))
        if scope.cancelled_caught:
            missing = sum(not slot.is_up for slot in slots)
            raise RunFailed(f"{missing} zone processes did not come up within {READY_S:.0f} s")

    async def order(self, leg: Leg) -> None:
        """Have zones tick as a leg says; those that it does not name end."""
        await self._dispatcher.order_leg(leg)

    async def drain(self, zones: Sequence[int], heirs: Sequence[int]) -> None:
        """End zones when they have ticked, and hand their players to the heirs in turn.

        Returns when the heirs have the players, saved or, where the disk is slow, in memory, and
        the processes that hold no zones any more have been told to end.
        """
        slots, draining = self._slots, self._dispatcher.draining
        draining.update(zones)
        async with trio.open_nursery() as nursery:
            for slot in slots.slots_with(zones):
                nursery.start_soon(self._dispatcher.order_drain, slot)
        await slots.until(lambda: all(self._has_drained(zone) for zone in zones))
        # No checkpoint until the zones are out of their slots: a process that dies from here on
        # is not started again for them.
        draining.difference_update(zones)
        able = [zone for zone in heirs if not slots.is_given_up(zone)]
        given_up = {zone for zone in zones if slots.is_given_up(zone)}
        sent = self._handovers.send_on(zones, able, self._arrival_ticks())
        emptied = slots.remove_zones(zones)
        adopts = list(sent.values())
        for zone in sorted(zones):
            self._note_drained(zone, sent.get(zone), zone in given_up, bool(able))
            adopts += self._handovers.redirect(zone, able, self._arrival_ticks())
        for slot in emptied:
            await self._dismiss(slot)
        await self._dispatcher.send_adopts(adopts)
        await slots.until(lambda: not self._handovers.any_awaited)

    async def until_done(self) -> None:
        """Wait until all zones have run the leg that was ordered last."""
        leg = self._dispatcher.leg
        if leg is not None:
            slots = self._slots.slots_with(leg.until)
            await self._slots.until(lambda: all(self._is_done(slot, leg.step) for slot in slots))
            self._check_any_left()

    async def slow_disk(self, delay_s: float, until_ns: int) -> None:
        """Have each write of a checkpoint take so much longer, until a moment."""
        await self._dispatcher.slow_disk(delay_s, until_ns)

    async def halt(self) -> None:
        """End the leg that runs and all that are ordered later; start no process any more."""
        self._dispatcher.halting = self._supervisor.ending = True
        self._slots.notify()
        await self._dispatcher.send_all(Halt())

    def kill(self) -> None:
        """Kill all processes."""
        self._end()
        for slot in self._slots.all():
            slot.kill("the run ends")

    async def stop(self) -> None:
        """End all processes, and kill those that do not end."""
        self._end()
        await self._dispatcher.send_all(Stop())
        async with trio.open_nursery() as nursery:
            for slot in self._slots.all():
                if slot.handle is not None:
                    nursery.start_soon(slot.handle.stop)
        if any(not handle.has_ended() for handle in self._started):
            kill_forkserver()  # it hangs, and this process would wait for its report at exit

    def _end(self) -> None:
        """From now on a process that ends is expected."""
        self._dispatcher.stopping = self._supervisor.ending = True
        for slot in self._slots.all():
            slot.retiring = True

    # -- parts of grow and drain

    def _place(self, spec: ZoneSpec, zones_per_process: int) -> ProcessSlot:
        slot = self._slots.add_zone(spec, spec.zone // zones_per_process)
        self._dispatcher.lives[spec.zone] += 1
        self._handovers.forget(spec.zone)
        if slot.quarantined:
            self._slots.move(spec.zone, ZoneState.UNHEALTHY)
            self._on_event("zone-quarantined", "its process was given up", zones=[spec.zone])
        return slot

    def _coming_up(self, slots: Iterable[ProcessSlot]) -> int:
        """Count the slots whose process has been started and whose zones cannot tick yet."""
        is_settled = self._slots.is_settled
        return sum(slot.is_supervised and not all(map(is_settled, slot.specs)) for slot in slots)

    def _has_drained(self, zone: int) -> bool:
        """Whether a zone has ended in the process that holds it now, or never will."""
        return all(zone in s.drained or s.quarantined for s in self._slots.slots_with([zone]))

    def _arrival_ticks(self) -> dict[int, int | None]:
        """Where ticks are counted, players arrive after the last tick of the leg."""
        leg = self._dispatcher.leg
        return {} if leg is None else leg.until

    def _note_drained(self, zone: int, adopt: Adopt | None, given_up: bool, any_heir: bool) -> None:
        if adopt is not None:
            how = f"its players go to zone {adopt.zone}"
        elif given_up:
            how = "its process was given up, and its players with it"
        elif not any_heir:
            how = "its players are lost: no zone is left for them"
        else:
            how = "it had no players"
        self._on_event("zone-drained", how, zones=[zone])

    async def _dismiss(self, slot: ProcessSlot) -> None:
        """End a process that holds no zones any more."""
        handle = slot.handle
        await slot.send(Stop())
        if handle is not None and not self._dispatcher.stopping:
            self._nursery.start_soon(handle.stop)

    def _is_done(self, slot: ProcessSlot, step: int) -> bool:
        """Whether nothing more of a step will come from a slot."""
        halted = self._dispatcher.halting and not slot.is_up
        return slot.step_done == step or slot.quarantined or halted

    # -- starts, deaths and failures

    async def _start(self, slot: ProcessSlot) -> ZoneProcessHandle:
        """Start a process; raises OSError or EOFError where none can be started now."""
        plan = self._plan
        start = partial(
            ZoneProcessHandle, slot.number, slot.title, plan.socket_path, plan.pool_address
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
        """Report the death of a fork server; the next start brings up a new one."""
        watch = ForkServerWatch()
        while True:
            await trio.sleep(CHECK_S)
            pid = watch.dead_pid()
            if pid is not None and not self._dispatcher.stopping:
                self._on_event("fork-server-died", "the next start brings up another one", pid=pid)

    def _note_death(self, slot: ProcessSlot) -> None:
        for zone in slot.specs:
            self._slots.move(zone, ZoneState.UNHEALTHY)
        if self._pool is not None:
            self._pool.remove_rings_left_behind()  # to make room for those of the replacement
        self._check_pool()
        self._slots.notify()

    def _note_given_up(self, slot: ProcessSlot, why: str) -> None:
        heirs = [
            zone
            for other in self._slots.all()
            if not other.quarantined
            for zone in other.specs
            if zone not in self._dispatcher.draining
        ]
        for zone in slot.specs:
            adopts = self._handovers.redirect(zone, heirs, self._arrival_ticks())
            self._nursery.start_soon(self._dispatcher.send_adopts, adopts)
        self._last_given_up = f"{slot.title} {why}"
        self._check_any_left()
        self._slots.notify()

    def _check_any_left(self) -> None:
        slots = self._slots.all()
        if slots and all(slot.quarantined for slot in slots):
            raise RunFailed(f"no zone is left: {self._last_given_up}")

    def _check_pool(self) -> None:
        """Raise where the workers have failed: no restart of a zone process helps then."""
        failure = None if self._pool is None else self._pool.statistics().failure
        if failure is not None:
            raise RunFailed(failure)
