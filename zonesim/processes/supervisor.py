"""Starts zone processes, detects their deaths and hangs, restarts them with backoff.

A missed heartbeat means little on a crowded machine. So a silent process is also judged by what it
did meanwhile: it hangs if it is stopped, if it sleeps when it should have woken, or if it had
enough CPU time to send something.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol

import trio

from corororo.processes import process_state
from zonesim.processes.slot import ProcessSlot, ZoneProcessHandle
from zonesim.scenario.supervision import Supervision
from zonesim.system.operating_system import cpu_ns

CHECK_S = 0.1
OWN_DELAY_S = 0.2  # a check that is later than this has received no messages meanwhile either
STARTUP_S = 30.0  # a process may be silent for so long until it has created its zones

STOPPED = frozenset("Tt")  # states of /proc/PID/stat
SLEEPING = "S"
IS_STOPPED = "it is stopped"
ASLEEP_CHECKS = 3  # a process that waits for a lock sleeps in one check
TIMES_BUSIEST = 3
TIMES_ALLOWED = 10  # after so many times the allowed silence it hangs, whatever it does


class OnEvent(Protocol):
    """Takes an event: what happened, and the zones, the worker and the process it concerns."""

    def __call__(
        self,
        kind: str,
        detail: str,
        *,
        zones: Iterable[int] = (),
        worker: int | None = None,
        pid: int | None = None,
    ) -> None: ...


class Supervisor:
    """Supervises all slots of a run.

    ``start`` starts the process of a slot; ``on_death`` and ``on_quarantined`` are called when one
    has died for the first time, or once too often. ``may_be_busy``: AsyncTasks run in the zone
    processes, so that a process may be silent for as long as a tick may take.
    """

    def __init__(
        self,
        start: Callable[[ProcessSlot], Awaitable[ZoneProcessHandle]],
        policy: Supervision,
        period_s: float,
        may_be_busy: bool,
        on_death: Callable[[ProcessSlot], None],
        on_quarantined: Callable[[ProcessSlot, str], None],
        on_event: OnEvent,
    ) -> None:
        self.ending = False  # set to start no more processes
        self._start = start
        self._allowed_s = policy.silence_s(period_s)
        self._tick_bound_s = policy.tick_bound_s
        self._may_be_busy = may_be_busy
        self._on_death = on_death
        self._on_quarantined = on_quarantined
        self._on_event = on_event
        self._suspects: dict[ProcessSlot, Observation] = {}  # the latest of each silent process
        self._examined: set[ProcessSlot] = set()

    async def keep(self, slot: ProcessSlot) -> None:
        """Keep a process running in a slot until the run ends, or the slot retires or fails."""
        while self._may_start(slot):
            how = await self._run_process(slot)
            if slot.retiring:
                return
            self._on_death(slot)
            self._note(slot, "zone-died", how)
            if not self._may_start(slot):
                return
            wait_s = slot.restarts.after_death(time.monotonic_ns() / 1e9, hung=slot.hung)
            if wait_s is None:
                why = f"died {slot.restarts.recent} times, the last time {how}"
                slot.quarantined = True
                self._note(slot, "zone-quarantined", f"{why}; it is not started again")
                self._on_quarantined(slot, why)
                return
            await trio.sleep(wait_s)

    async def watch(self, slots: Callable[[], Iterable[ProcessSlot]]) -> None:
        """Find and kill processes that hang, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                began_s = trio.current_time()
                await trio.sleep(CHECK_S)
                delayed = trio.current_time() - began_s > CHECK_S + OWN_DELAY_S
                for slot in slots():
                    if delayed:
                        slot.heard_ns = max(slot.heard_ns, time.monotonic_ns())
                    elif (
                        slot.handle is not None
                        and slot not in self._examined
                        and (why := self._why_it_hangs(slot, slot.handle))
                    ):
                        self._examined.add(slot)
                        nursery.start_soon(self._kill_hung, slot, slot.handle, why)

    def _note(self, slot: ProcessSlot, kind: str, detail: str) -> None:
        self._on_event(kind, detail, zones=sorted(slot.specs), pid=slot.pid)

    def _may_start(self, slot: ProcessSlot) -> bool:
        return not self.ending and not slot.retiring

    async def _run_process(self, slot: ProcessSlot) -> str:
        """Start a process, wait for its end, and return how it ended."""
        slot.is_starting, slot.hung, slot.pid = True, False, None
        try:
            handle = await self._start(slot)
        except (OSError, EOFError) as error:
            slot.is_starting = False
            slot.died_ns = time.monotonic_ns()
            return f"failed to start: {str(error) or type(error).__name__}"
        slot.attach(handle)
        await handle.wait_until_ended()
        slot.detach()
        return slot.why_killed or handle.how_ended()

    def _why_it_hangs(self, slot: ProcessSlot, handle: ZoneProcessHandle) -> str | None:
        if slot.retiring or slot.why_killed:
            return None
        silent_s = (time.monotonic_ns() - slot.heard_ns) / 1e9
        if silent_s < self._allowed_s / 2:
            self._suspects.pop(slot, None)
            return None
        seen = self._suspects[slot] = _observe(handle.pid, silent_s, self._suspects.get(slot))
        busy = self._may_be_busy or not slot.is_up
        why = why_it_hangs(seen, self._allowed_s, slot.longest_busy_ns / 1e9, may_be_busy=busy)
        if why is None and not slot.is_up and silent_s > max(STARTUP_S, self._allowed_s):
            why = "it does not come up"
        if why is None and slot.is_up and silent_s > max(self._tick_bound_s, self._allowed_s):
            why = "its tick does not end; raise supervision.tick_hang_s to allow more"
        return why and f"silent for {silent_s:.1f} s: {why}"

    async def _kill_hung(self, slot: ProcessSlot, handle: ZoneProcessHandle, why: str) -> None:
        """Ask a process for its stacks, report them, and kill it."""
        stacks = await handle.stacks()
        self._note(slot, "zone-hung", f"{why}\n{stacks}".strip())
        if handle is slot.handle:
            slot.hung = IS_STOPPED not in why  # a signal stopped it, not its work
            slot.kill(f"killed: {why}")
        self._examined.discard(slot)
        self._suspects.pop(slot, None)


class Observation(NamedTuple):
    """What is known of a silent process."""

    silent_s: float
    state: str  # a letter of /proc/PID/stat; "" if unknown
    cpu_s: float  # used since half of the allowed silence had passed
    asleep_checks: int  # consecutive checks in which it slept
    spent_ns: int = 0  # its CPU time at the first observation


def _observe(pid: int, silent_s: float, before: Observation | None) -> Observation:
    state, spent_ns = process_state(pid), cpu_ns(pid) or 0
    first_ns = before.spent_ns if before else spent_ns
    asleep_checks = (before.asleep_checks if before else 0) + 1 if state == SLEEPING else 0
    return Observation(silent_s, state, (spent_ns - first_ns) / 1e9, asleep_checks, first_ns)


def why_it_hangs(
    seen: Observation, allowed_s: float, busiest_s: float = 0.0, *, may_be_busy: bool = False
) -> str | None:
    """Why a process hangs; None if it may only be slow.

    ``busiest_s`` is the longest time that a tick kept it busy so far; 0 if none has ended yet.
    """
    if seen.silent_s <= allowed_s:
        return None
    if seen.state in STOPPED:
        return IS_STOPPED
    if may_be_busy:
        return None
    if not seen.state:
        return "its state is unknown"
    if seen.state == SLEEPING and seen.asleep_checks >= ASLEEP_CHECKS:
        return "it sleeps, or waits for something that does not come"
    if busiest_s and seen.cpu_s >= max(allowed_s / 2, TIMES_BUSIEST * busiest_s):
        return f"it runs and does not come back: {seen.cpu_s:.1f} s of CPU since"
    if seen.silent_s > TIMES_ALLOWED * allowed_s:
        return f"it is in state {seen.state}"
    return None
