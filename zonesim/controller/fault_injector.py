"""Injects the faults of a scenario into a run: kills and stops processes, slows the disk down."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import trio

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
from zonesim.wire.messages import TickRow
from zonesim.world.determinism import Random, derive

EVENT: Final = "fault"
_STREAM: Final = 0xFA17  # name of the derived random streams, one for each fault

ProcessFault = KillWorker | KillZone | StallWorker | StallZone


class FaultTargets(NamedTuple):
    """What faults act on: the processes that are alive now, by number, and the disk."""

    workers: Callable[[], Mapping[int, int]]
    zones: Callable[[], Mapping[int, int]]  # several zones may share a process
    slow_disk: Callable[[float, float], Awaitable[None]]  # delay and duration, in seconds


class _Target(NamedTuple):
    """The process that a fault has chosen."""

    fault: ProcessFault
    number: int  # of the zone or worker
    pid: int


class FaultInjector:
    """Applies each fault when it is due; surges are only announced, the zones make them.

    A fault that names no process draws one, by ``seed``, from a random stream of its own.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        seed: int,
        targets: FaultTargets,
        on_event: OnEvent,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._faults = faults
        self._targets = targets
        self._on_event = on_event
        self._now_ns = now_ns
        self._schedule = FaultSchedule(faults)
        self._draws = [Random(derive(seed, _STREAM, n)) for n in range(len(faults))]
        self._stopped: dict[int, _Target] = {}  # by process id
        self._start_ns = 0
        self._end_ns: int | None = None
        self._begun, self._woken = trio.Event(), trio.Event()

    def begin(self, start_ns: int) -> None:
        """Set the moment of the first tick: no fault is due before."""
        self._start_ns = start_ns
        self._begun.set()

    def end_at(self, end_ns: int) -> None:
        """Inject nothing from this moment on: no tick is due then that could show a recovery."""
        self._end_ns = end_ns

    def note_ticks(self, rows: Iterable[TickRow]) -> None:
        """Take the ticks that zones have run, for the faults that wait for a tick."""
        for row in rows:
            if self._schedule.note_tick(row.zone, row.tick):
                self._woken.set()

    async def run(self) -> None:
        """Inject each fault when it is due, until cancelled; stopped processes then continue."""
        await self._begun.wait()
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    for n in self._schedule.take_due(self._since_start_ns()):
                        if self._end_ns is None or self._now_ns() < self._end_ns:
                            self._inject(n, nursery)
                    await self._until_next()
        finally:
            for target in list(self._stopped.values()):
                self._resume(target)

    async def _until_next(self) -> None:
        next_ns = self._schedule.next_ns()
        left_s = math.inf if next_ns is None else (next_ns - self._since_start_ns()) / 1e9
        with trio.move_on_after(max(0.0, left_s)):
            await self._woken.wait()
        self._woken = trio.Event()

    def _since_start_ns(self) -> int:
        return self._now_ns() - self._start_ns

    def _inject(self, n: int, nursery: trio.Nursery) -> None:
        match self._faults[n]:
            case SurgeFault(players=players, zone=zone, for_s=for_s):
                everywhere = " in all zones" if zone is None else ""
                zones = [] if zone is None else [zone]
                detail = f"{more_players(players)} for {for_s:g} s{everywhere}"
                self._on_event(EVENT, detail, zones=zones)
            case SlowDisk(delay_ms=delay_ms, for_s=for_s):
                nursery.start_soon(self._targets.slow_disk, delay_ms / 1000, for_s)
                self._on_event(EVENT, f"disk: each write {delay_ms:g} ms longer for {for_s:g} s")
            case KillWorker() | KillZone() as fault:
                self._kill(fault, self._draws[n])
            case StallWorker() | StallZone() as fault:
                self._stall(fault, self._draws[n], nursery)

    def _kill(self, fault: KillWorker | KillZone, draws: Random) -> None:
        target = self._choose(fault, draws)
        if target is None or not _send(target.pid, signal.SIGKILL):
            self._note_no_target(fault, "alive")
        else:
            self._stopped.pop(target.pid, None)
            self._note(fault, "killed", target.number, target.pid)

    def _stall(self, fault: StallWorker | StallZone, draws: Random, nursery: trio.Nursery) -> None:
        self._stopped = {pid: t for pid, t in self._stopped.items() if self._is_alive(t)}
        target = self._choose(fault, draws, self._stopped)
        if target is None or not _send(target.pid, signal.SIGSTOP):
            self._note_no_target(fault, "running")
            return
        self._stopped[target.pid] = target
        detail = "stopped"
        if fault.for_s is not None:
            detail = f"stopped for {fault.for_s:g} s"
            nursery.start_soon(self._resume_later, target, fault.for_s)
        self._note(fault, detail, target.number, target.pid)

    async def _resume_later(self, target: _Target, after_s: float) -> None:
        await trio.sleep(after_s)
        self._resume(target)

    def _resume(self, target: _Target) -> None:
        if self._stopped.get(target.pid) is target:
            del self._stopped[target.pid]
            if self._is_alive(target):  # else another process may have its id
                _send(target.pid, signal.SIGCONT)

    def _choose(
        self, fault: ProcessFault, draws: Random, spared: Collection[int] = ()
    ) -> _Target | None:
        """Find the process that a fault names, or draw one: the same draw, the same process."""
        alive = {n: pid for n, pid in sorted(self._alive(fault).items()) if pid not in spared}
        number = _number_of(fault)
        if number is None and alive:
            number = list(alive)[draws.below(len(alive))]
        if number is None or number not in alive:
            return None
        return _Target(fault, number, alive[number])

    def _alive(self, fault: ProcessFault) -> Mapping[int, int]:
        return self._targets.workers() if _hits_worker(fault) else self._targets.zones()

    def _is_alive(self, target: _Target) -> bool:
        return self._alive(target.fault).get(target.number) == target.pid

    def _note(
        self, fault: ProcessFault, detail: str, number: int | None, pid: int | None = None
    ) -> None:
        if _hits_worker(fault):
            self._on_event(EVENT, detail, worker=number, pid=pid)
            return
        others = sum(each == pid for each in self._targets.zones().values()) - 1
        if others > 0:
            detail += f", and {others} more zones of its process"
        self._on_event(EVENT, detail, zones=[] if number is None else [number], pid=pid)

    def _note_no_target(self, fault: ProcessFault, how: str) -> None:
        what = "worker" if _hits_worker(fault) else "zone"
        detail = f"{fault.__struct_config__.tag} found no {what} {how}"
        self._note(fault, detail, _number_of(fault))


class FaultSchedule:
    """Which faults are due, by time since the first tick and by tick number.

    A fault that was due several times since the last call is returned once.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._next_ns = {
            n: round(fault.begin_s * 1e9) for n, fault in enumerate(faults) if fault.at_tick is None
        }
        self._ticks = {
            n: (getattr(fault, "zone", None), fault.at_tick)
            for n, fault in enumerate(faults)
            if fault.at_tick is not None
        }

    def note_tick(self, zone: int, tick: int) -> bool:
        """Take a tick that a zone has run; tell whether a fault is due by tick."""
        reached = [n for n, (z, at) in self._ticks.items() if z in (None, zone) and at <= tick]
        for n in reached:
            del self._ticks[n]
            self._next_ns[n] = 0
        return bool(reached)

    def take_due(self, now_ns: int) -> list[int]:
        """Return the indices of the faults that have become due, in order."""
        due = sorted(n for n, next_ns in self._next_ns.items() if next_ns <= now_ns)
        for n in due:
            self._advance(n, now_ns)
        return due

    def next_ns(self) -> int | None:
        """Return when the next fault is due; None where none is known to be."""
        return min(self._next_ns.values(), default=None)

    def _advance(self, n: int, now_ns: int) -> None:
        fault, next_ns = self._faults[n], self._next_ns.pop(n)
        if fault.every_s is not None:
            every_ns = round(fault.every_s * 1e9)
            self._next_ns[n] = next_ns + ((now_ns - next_ns) // every_ns + 1) * every_ns


def _send(pid: int, signal_number: signal.Signals) -> bool:
    try:
        os.kill(pid, signal_number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _hits_worker(fault: ProcessFault) -> bool:
    return isinstance(fault, KillWorker | StallWorker)


def _number_of(fault: ProcessFault) -> int | None:
    return fault.worker if isinstance(fault, KillWorker | StallWorker) else fault.zone
