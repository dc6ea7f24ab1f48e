"""The zone processes of a run and what it has them do: zones made, ticking, drained, ended.

Knows nothing of steps or results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import trio

from corororo.processes import kill_forkserver, usable_cpus
from zonesim.controller.fleet_answers import FleetAnswers
from zonesim.controller.fleet_orders import FleetPlan as FleetPlan
from zonesim.controller.zone_states import ZoneState
from zonesim.processes.handle import ZoneProcessHandle
from zonesim.processes.server_watch import ServerWatch
from zonesim.processes.slot import Host
from zonesim.processes.supervisor import LOOK_S, OnEvent, Supervisor
from zonesim.system.errors import RunFailed
from zonesim.wire.listener import OnRefused
from zonesim.wire.messages import Adopt, Halt, Leg, SlowDisk, Stop
from zonesim.wire.ticks import TickRow
from zonesim.workloads.base import ZoneSpec

START_S = 10.0  # what the fork server gets to start a process
READY_S = 90.0  # what zone processes get to come up, one that hangs and its successor among them


class Fleet(FleetAnswers):
    """All zone processes. ``serve`` runs beside everything else, and is cancelled in the end."""

    def __init__(
        self,
        plan: FleetPlan,
        on_ticks: Callable[[list[TickRow]], None],
        on_refused: OnRefused,
        on_event: OnEvent,
        pool_failure: Callable[[], str | None] = lambda: None,
        free_rings: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(plan, on_ticks, on_refused, on_event, pool_failure, free_rings)
        self._starting = trio.CapacityLimiter(1)
        self._untold: list[ZoneProcessHandle] = []  # whose end nobody has told of
        self._gently = max(1, usable_cpus() // 2)  # coming up at a time while others tick
        self._supervisor = Supervisor(
            self._start,
            plan.supervision,
            plan.period_s,
            plan.inline,
            self._note_death,
            self._note_given_up,
            on_event,
        )

    # -- looking at it

    def zone_states(self) -> dict[int, ZoneState]:
        """The state of each zone that there is, by zone."""
        return self._states.all()

    def hosts_of(self, leg: Leg) -> list[Host]:
        """The places that hold zones of a leg."""
        return [
            host for host in self._hosts.values() if not leg.until.keys().isdisjoint(host.specs)
        ]

    def zone_pids(self) -> dict[int, int]:
        """The process of each zone that can tick, by zone."""
        return {
            zone: host.handle.pid
            for host in self._hosts.values()
            if host.is_up and host.handle is not None
            for zone in host.specs
            if self._can_tick(zone)
        }

    # -- what a run does with it

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Let the processes in and hear them, and have every place filled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self._door.serve)
            nursery.start_soon(self._supervisor.watch, self._hosts.values)
            nursery.start_soon(self._watch_fork_server)
            task_status.started()

    async def grow(self, specs: Sequence[ZoneSpec], zones_per_process: int) -> None:
        """Make those of these zones that are not there; wait until they can tick.

        New ones go to new processes where the last is full. While others tick, they come up a few
        at a time, so that nobody is late for them. One whose place has been given up does not come.
        """
        new = [spec for spec in specs if spec.zone not in self._states.all()]
        wanted: dict[Host, None] = {}
        for spec in new:
            self._states.create(spec.zone)
            self._lives[spec.zone] += 1
            self._handovers.forget(spec.zone)
            host = self._host_at(spec.zone // zones_per_process)
            host.specs[spec.zone] = spec
            wanted[host] = None
            if host.given_up:
                self._states.move(spec.zone, ZoneState.UNHEALTHY)
                why = "the process that it belongs to has been given up"
                self._on_event("zone-quarantined", why, zones=[spec.zone])
        async with trio.open_nursery() as nursery:
            for host in [host for host in wanted if host.is_kept]:
                nursery.start_soon(self._assign, host)
        for host in [host for host in wanted if not host.is_kept]:
            host.is_kept = True
            self._nursery.start_soon(self._supervisor.keep, host)
            await trio.lowlevel.checkpoint()
            if self._leg is not None:
                await self._until(lambda: self._coming_up(wanted) < self._gently)
        with trio.move_on_after(READY_S) as scope:
            await self._until(lambda: all(self._is_settled(spec.zone) for spec in new))
        if scope.cancelled_caught:
            missing = sum(not host.is_up for host in wanted)
            raise RunFailed(f"{missing} zone processes did not come up within {READY_S:.0f} s")

    async def order(self, leg: Leg) -> None:
        """Have zones tick as a leg says, and those that it does not name end."""
        self._leg = leg
        async with trio.open_nursery() as nursery:
            # All at once: those who have theirs begin to tick, and may take all of the time that
            # it takes to tell the others one after another.
            for host in self._hosts.values():
                nursery.start_soon(self._order_one, host, leg)
        if self._halting:  # it came while the orders went out, and some got theirs the wrong way
            await self._tell_all(Halt())

    async def _order_one(self, host: Host, leg: Leg) -> None:
        if host.is_up:  # else it hears of it as soon as it is
            await self._send_leg(host, leg)

    async def drain(self, zones: Sequence[int], heirs: Sequence[int]) -> None:
        """Have zones end, once they tick no more, and their players go to the heirs in turn.

        Returns when the heirs have them, on the disk or, where that takes long, in memory alone,
        and the processes that hold nothing more have been told to end. A zone that is given up
        takes its players with it.
        """
        self._draining.update(zones)
        async with trio.open_nursery() as nursery:
            for host in self._hosts_with(zones):
                nursery.start_soon(self._tell_to_drain, host)
        await self._until(lambda: all(self._has_drained(zone) for zone in zones))
        # Nothing is waited for until they are gone from their places: whoever dies from here on
        # is not started again for them.
        self._draining.difference_update(zones)
        able = [zone for zone in heirs if not self._is_given_up(zone)]
        given_up = {zone for zone in zones if self._is_given_up(zone)}
        # Where ticks are counted, players come after all that there are, whoever runs some again.
        until = self._leg.until if self._leg is not None else {}
        sent = self._handovers.send_on(zones, able, until)
        left = self._take_off(zones)
        adopts = list(sent.values())
        for zone in sorted(zones):
            self._tell_of_drained(zone, sent.get(zone), zone in given_up, bool(able))
            adopts += self._send_elsewhere(zone, able, until)
        for host in left:
            await self._dismiss(host)
        await self._tell_adopts(adopts)
        await self._until(lambda: not self._handovers.any_awaited)

    async def until_done(self) -> None:
        """Wait until all zones have come to the end of the leg that was ordered last.

        Raises RunFailed where they have because none is left that could.
        """
        leg = self._leg
        if leg is not None:
            hosts = self.hosts_of(leg)
            await self._until(lambda: all(self._is_done(host, leg.step) for host in hosts))
            self._check_any_left()

    async def slow_disk(self, delay_s: float, until_ns: int) -> None:
        """Have every write of a checkpoint take so much longer, until a moment."""
        self._slow_disk = SlowDisk(delay_s, until_ns)
        await self._tell_all(self._slow_disk)

    async def halt(self) -> None:
        """End the leg that runs, and all that are ordered later; nobody is started any more."""
        self._halting = self._supervisor.ending = True
        self._notify()
        await self._tell_all(Halt())

    def kill(self) -> None:
        """End all processes now, whatever they do."""
        self._end()
        for host in self._hosts.values():
            host.kill("the run ends")

    async def stop(self) -> None:
        """End all processes, those that do not listen by force."""
        self._end()
        await self._tell_all(Stop())
        async with trio.open_nursery() as nursery:
            for host in self._hosts.values():
                if host.handle is not None:
                    nursery.start_soon(host.handle.stop)
        if any(not handle.has_ended() for handle in self._untold):
            kill_forkserver()  # it hangs: this process would wait for its word for ever

    def _end(self) -> None:
        """From now on the end of a process is what was wanted."""
        self._stopping = self._supervisor.ending = True
        for host in self._hosts.values():
            host.is_leaving = True

    def _has_drained(self, zone: int) -> bool:
        """Whether a zone has ended in the process that stands there now, or never will."""
        hosts = self._hosts_with([zone])
        return all(zone in host.drained or host.given_up for host in hosts)

    def _take_off(self, zones: Iterable[int]) -> list[Host]:
        """Forget zones that have ended; the places at which no others are."""
        left = []
        for host in self._hosts_with(zones):
            for zone in host.specs.keys() & set(zones):
                self._states.move(zone, ZoneState.SHUTDOWN)
                del host.specs[zone]
                for known in (host.assigned, host.made, host.missed):
                    known.discard(zone)
            if not host.specs:
                host.is_leaving = True
                del self._hosts[host.number]
                left.append(host)
        self._notify()
        return left

    async def _dismiss(self, host: Host) -> None:
        """End a process that has nothing left to do."""
        handle = host.handle
        await host.tell(Stop())
        if handle is not None and not self._stopping:
            self._nursery.start_soon(handle.stop)

    def _tell_of_drained(
        self, zone: int, adopt: Adopt | None, given_up: bool, any_heir: bool
    ) -> None:
        if adopt is not None:
            how = f"its players go to zone {adopt.zone}"
        elif given_up:
            how = "its process was given up, and its players with it"
        elif not any_heir:
            how = "its players are lost: no zone is left for them"
        else:
            how = "it had no players"
        self._on_event("zone-drained", how, zones=[zone])

    async def _watch_fork_server(self) -> None:
        """For ever; whoever needs the next one starts it."""
        watch = ServerWatch()
        while True:
            await trio.sleep(LOOK_S)
            died = watch.look()
            if died is not None and not self._stopping:
                told = "the next process that is started comes from another one"
                self._on_event("fork-server-died", told, pid=died)

    async def _start(self, host: Host) -> ZoneProcessHandle:
        """Raises OSError or EOFError where no process can be started now."""
        plan = self._plan
        start = partial(
            ZoneProcessHandle, host.number, host.title, plan.socket_path, plan.pool_address
        )
        async with self._starting:  # one after another: who waits for a turn is not held up
            with trio.move_on_after(START_S):
                # In a thread: a fork server that hangs must not hold up all that is minded here.
                handle = await trio.to_thread.run_sync(start, abandon_on_cancel=True)
                self._untold = [*(one for one in self._untold if not one.has_ended()), handle]
                return handle
            kill_forkserver()  # the next start finds none, and has a new one
        raise TimeoutError(f"the fork server started nothing within {START_S:.0f} s")

    def _host_at(self, number: int) -> Host:
        if number not in self._hosts:
            self._hosts[number] = Host(number, self._plan.supervision)
        return self._hosts[number]

    def _coming_up(self, hosts: Iterable[Host]) -> int:
        """Places that somebody has been started for, who cannot tick yet."""
        return sum(host.is_kept and not all(map(self._is_settled, host.specs)) for host in hosts)

    def _is_settled(self, zone: int) -> bool:
        """Whether a zone can tick, or never will."""
        return self._can_tick(zone) or self._is_given_up(zone)

    def _is_done(self, host: Host, step: int) -> bool:
        """Whether nothing more of a step is to be expected from there."""
        return host.step_done == step or host.given_up or (self._halting and not host.is_up)
