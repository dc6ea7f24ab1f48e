"""The zone processes of a run and the wires to them: started, ordered about, listened to, ended.

Knows what a zone process answers, and nothing of steps or results.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import trio

from zonesim.control import (
    VERSION,
    Assign,
    Channel,
    ControlError,
    Failed,
    FromZones,
    Halt,
    Hello,
    Leg,
    LegDone,
    Ready,
    Stop,
    Ticks,
    WorkerTotals,
)
from zonesim.errors import RunFailed
from zonesim.supervisor import ZoneProcessHandle, host_title
from zonesim.ticks import TickRow
from zonesim.workloads.base import ZoneSpec

READY_S = 60.0  # what zone processes get to come up


class Host:
    """One zone process and what is known of it."""

    def __init__(self, handle: ZoneProcessHandle) -> None:
        self.handle = handle
        self.channel: Channel | None = None
        self.zones: list[int] = []
        self.zones_ready = 0
        self.step_done = 0
        self.workers: list[WorkerTotals] = []  # what workers have done for it since it started


class Fleet:
    """All zone processes. ``serve`` runs beside everything else and ends when it is cancelled.

    ``on_ticks`` gets the rows that arrive. Raises RunFailed where a process ends or fails.
    """

    def __init__(
        self, socket_path: Path, pool_address: str, on_ticks: Callable[[list[TickRow]], None]
    ) -> None:
        self.hosts: list[Host] = []
        self._socket_path = socket_path
        self._pool_address = pool_address
        self._on_ticks = on_ticks
        self._changed = trio.Event()
        self._stopping = False

    @property
    def zones_ready(self) -> int:
        """Zones that can tick."""
        return sum(host.zones_ready for host in self.hosts)

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Accept and hear the processes."""
        with trio.socket.socket(socket.AF_UNIX) as listening:
            await listening.bind(str(self._socket_path))
            listening.listen(socket.SOMAXCONN)
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    connection, _ = await listening.accept()
                    nursery.start_soon(self._hear, trio.SocketStream(connection))

    async def grow(self, specs: Iterable[ZoneSpec], zones_per_process: int) -> None:
        """Make these zones, in new processes where the last is full; wait until they can tick."""
        orders: dict[int, list[ZoneSpec]] = {}
        for spec in specs:
            number = spec.zone // zones_per_process
            orders.setdefault(number, []).append(spec)
        for number in orders:
            if number == len(self.hosts):
                title = host_title(number * zones_per_process, zones_per_process)
                self.hosts.append(
                    Host(ZoneProcessHandle(number, title, self._socket_path, self._pool_address))
                )
                await trio.lowlevel.checkpoint()
        with trio.move_on_after(READY_S) as scope:
            for number, zones in orders.items():
                host = self.hosts[number]
                await self._until(lambda host=host: host.channel is not None)  # type: ignore[misc]
                assert host.channel is not None
                host.zones += [spec.zone for spec in zones]
                await host.channel.send(Assign(zones))
            await self._until(lambda: all(h.zones_ready == len(h.zones) for h in self.hosts))
        if scope.cancelled_caught:
            missing = sum(
                host.zones_ready < len(host.zones) or not host.zones for host in self.hosts
            )
            raise RunFailed(f"{missing} zone processes did not come up within {READY_S:.0f} s")

    async def run_leg(self, leg: Leg) -> None:
        """Have the zones of a leg tick it, and wait until all of them have."""
        hosts = [host for host in self.hosts if not leg.phases_ns.keys().isdisjoint(host.zones)]
        for host in hosts:
            assert host.channel is not None
            mine = {zone: leg.phases_ns[zone] for zone in host.zones if zone in leg.phases_ns}
            await host.channel.send(msgspec.structs.replace(leg, phases_ns=mine))
        await self._until(lambda: all(host.step_done == leg.step for host in hosts))

    async def halt(self) -> None:
        """End the leg that runs."""
        await self._tell_all(Halt())

    async def stop(self) -> None:
        """End all processes, those that do not listen by force."""
        self._stopping = True
        await self._tell_all(Stop())
        async with trio.open_nursery() as nursery:
            for host in self.hosts:
                nursery.start_soon(host.handle.stop)

    async def _tell_all(self, order: Halt | Stop) -> None:
        for host in self.hosts:
            if host.channel is not None:
                try:
                    await host.channel.send(order)
                except ControlError:
                    continue  # it has ended: that is more than it was asked for

    async def _hear(self, stream: trio.SocketStream) -> None:
        async with Channel(stream, FromZones) as channel:
            hello = await channel.receive()
            if not isinstance(hello, Hello) or hello.version != VERSION:
                raise ControlError("a zone process must say hello in this version first")
            host = self.hosts[hello.host]
            host.channel = channel
            self._notify()
            while (message := await channel.receive()) is not None:
                self._take(host, message)
            if not self._stopping:
                code = await host.handle.wait_until_ended()
                raise RunFailed(f"{host.handle.title} ended in the middle of the run, {told(code)}")

    def _take(self, host: Host, message: msgspec.Struct) -> None:
        match message:
            case Ticks(rows, workers):
                host.workers = workers
                self._on_ticks(rows)
            case Ready(zones):
                host.zones_ready = zones
            case LegDone(step):
                host.step_done = step
            case Failed(reason, detail):
                error = RunFailed(f"{host.handle.title}: {reason}")
                if detail:
                    error.add_note(detail)
                raise error
        self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()


def told(exit_code: int) -> str:
    """An exit code in words."""
    return f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
