"""Does to a run what its faults say, when they are due. Chooses nobody, and repairs nothing."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio

from zonesim.controller.due_faults import FaultClock
from zonesim.controller.victims import Processes, ProcessFault, Victim, find_victim, is_there, named
from zonesim.processes.supervisor import OnEvent
from zonesim.scenario.faults import (
    Fault,
    KillWorker,
    KillZone,
    SlowDisk,
    StallWorker,
    StallZone,
    SurgeFault,
    more_players,
)
from zonesim.world.determinism import Random, derive

EVENT: Final = "fault"
_DRAWS: Final = 0xFA17  # name of the derived random streams, one for each fault

_Stall = tuple[StallWorker | StallZone, Victim]


class Targets(Processes, Protocol):
    """What a run lets its faults strike."""

    async def slow_disk(self, delay_s: float, for_s: float) -> None:
        """Have each write of the run's figures take longer, for a while.

        It may come back at once, or when that is over: nothing else waits for it.
        """
        ...


class Wrecker:
    """Kills, stops and slows down ``targets`` as ``faults`` say; zones have surges by themselves.

    ``on_event`` gets an event of each fault that has struck, or has found nobody: its kind, who,
    and what became of it. ``now_ns`` is the clock that ``begin`` gets its moment from. Victims
    that nobody names are drawn by ``seed``, for each fault from a stream of its own.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        seed: int,
        targets: Targets,
        on_event: OnEvent,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._faults = faults
        self._targets = targets
        self._on_event = on_event
        self._now_ns = now_ns
        self._clock = FaultClock(faults)
        self._draws = [Random(derive(seed, _DRAWS, n)) for n in range(len(faults))]
        self._stopped: dict[int, _Stall] = {}  # by process id
        self._start_ns = 0
        self._end_ns: int | None = None
        self._begun, self._woken = trio.Event(), trio.Event()

    def begin(self, start_ns: int) -> None:
        """Say when the first tick of the run is due: nothing strikes before."""
        self._start_ns = start_ns
        self._begun.set()

    def end_at(self, end_ns: int) -> None:
        """Strike nobody from a moment on: nothing is due then that could show a recovery."""
        self._end_ns = end_ns

    def note_tick(self, zone: int, tick: int) -> None:
        """A zone has run a tick."""
        if self._clock.note_tick(zone, tick):
            self._woken.set()

    async def run(self) -> None:
        """Strike whenever a fault is due, until cancelled; whoever is stopped then goes on."""
        await self._begun.wait()
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    for n in self._clock.take_due(self._since_start_ns()):
                        if self._end_ns is None or self._now_ns() < self._end_ns:
                            self._strike(n, nursery)
                    await self._until_next()
        finally:
            for stall in list(self._stopped.values()):
                self._go_on(stall)

    async def _until_next(self) -> None:
        next_ns = self._clock.next_ns()
        left_s = math.inf if next_ns is None else (next_ns - self._since_start_ns()) / 1e9
        with trio.move_on_after(max(0.0, left_s)):
            await self._woken.wait()
        self._woken = trio.Event()

    def _since_start_ns(self) -> int:
        return self._now_ns() - self._start_ns

    def _strike(self, n: int, nursery: trio.Nursery) -> None:
        match self._faults[n]:
            case SurgeFault(players=players, zone=zone, for_s=for_s):
                everywhere = " in all zones" if zone is None else ""
                self._tell(f"{more_players(players)} for {for_s:g} s{everywhere}", zone)
            case SlowDisk(delay_ms=delay_ms, for_s=for_s):
                nursery.start_soon(self._targets.slow_disk, delay_ms / 1000, for_s)
                self._tell(f"disk: each write {delay_ms:g} ms longer for {for_s:g} s")
            case KillWorker() | KillZone() as fault:
                self._kill(n, fault)
            case StallWorker() | StallZone() as fault:
                self._stop(n, fault, nursery)

    def _kill(self, n: int, fault: KillWorker | KillZone) -> None:
        victim = find_victim(fault, self._targets, self._draws[n])
        if victim is None or not _send(victim, signal.SIGKILL):
            self._tell_nobody(fault, "alive")
            return
        self._stopped.pop(victim.pid, None)
        self._tell(f"killed{_with_others(victim)}", victim.zone, victim.worker, victim.pid)

    def _stop(self, n: int, fault: StallWorker | StallZone, nursery: trio.Nursery) -> None:
        self._forget_gone()
        victim = find_victim(fault, self._targets, self._draws[n], self._stopped)
        if victim is None or not _send(victim, signal.SIGSTOP):
            self._tell_nobody(fault, "running")
            return
        stall = self._stopped[victim.pid] = (fault, victim)
        lasts = ""
        if fault.for_s is not None:
            lasts = f" for {fault.for_s:g} s"
            nursery.start_soon(self._go_on_later, stall, fault.for_s)
        detail = f"stopped{lasts}{_with_others(victim)}"
        self._tell(detail, victim.zone, victim.worker, victim.pid)

    async def _go_on_later(self, stall: _Stall, after_s: float) -> None:
        await trio.sleep(after_s)
        self._go_on(stall)

    def _go_on(self, stall: _Stall) -> None:
        fault, victim = stall
        if self._stopped.get(victim.pid) is stall:
            del self._stopped[victim.pid]
            if is_there(fault, self._targets, victim):
                _send(victim, signal.SIGCONT)

    def _forget_gone(self) -> None:
        for pid, (fault, victim) in list(self._stopped.items()):
            if not is_there(fault, self._targets, victim):
                del self._stopped[pid]

    def _tell_nobody(self, fault: ProcessFault, how: str) -> None:
        kind = fault.__struct_config__.tag
        is_worker = isinstance(fault, KillWorker | StallWorker)
        zone, worker = (None, named(fault)) if is_worker else (named(fault), None)
        self._tell(f"{kind} found no {'worker' if is_worker else 'zone'} {how}", zone, worker)

    def _tell(
        self,
        detail: str,
        zone: int | None = None,
        worker: int | None = None,
        pid: int | None = None,
    ) -> None:
        zones = [] if zone is None else [zone]
        self._on_event(EVENT, detail, zones=zones, worker=worker, pid=pid)


def _send(victim: Victim, signal_number: signal.Signals) -> bool:
    """Send a signal; False where the victim has just ended, and another may have its id."""
    try:
        os.kill(victim.pid, signal_number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _with_others(victim: Victim) -> str:
    return f", and {victim.others} more zones of its process" if victim.others else ""
