"""Has a zone process stand at each place: starts it, notices its end or that it hangs, starts anew.

Knows nothing of zones, steps and results: it tells what has happened.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import trio

from corororo.processes import process_state
from zonesim.processes.handle import ZoneProcessHandle
from zonesim.processes.health import IS_STOPPED, SLEEPING, STOPPED, Look, why_it_hangs
from zonesim.processes.slot import Host
from zonesim.scenario.supervision import Supervision
from zonesim.system.operating_system import cpu_ns
from zonesim.system.stacks import stacks_of

LOOK_S = 0.1
OWN_DELAY_S = 0.2  # who looks this much too late has heard nothing meanwhile, either

COMING_UP_S = 30.0  # until then a process may be silent that has not made its zones yet


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
    """For all places of a run.

    ``start`` gives the place a process, ``on_death`` and ``on_given_up`` hear what has become of
    one, ``on_event`` all that belongs into the list of events. ``may_be_busy``: what a process
    runs by itself may take as long as a tick may.
    """

    def __init__(
        self,
        start: Callable[[Host], Awaitable[ZoneProcessHandle]],
        policy: Supervision,
        period_s: float,
        may_be_busy: bool,
        on_death: Callable[[Host], None],
        on_given_up: Callable[[Host, str], None],
        on_event: OnEvent,
    ) -> None:
        self.ending = False  # from now on nobody is started any more
        self._start = start
        self._allowed_s = policy.silence_s(period_s)
        self._tick_bound_s = policy.tick_bound_s
        self._may_be_busy = may_be_busy
        self._on_death = on_death
        self._on_given_up = on_given_up
        self._on_event = on_event
        self._doubts: dict[Host, _Doubt] = {}  # about those who are silent for a while
        self._examined: set[Host] = set()

    async def keep(self, host: Host) -> None:
        """Have a process stand there, until the run ends, or the place is given up or left."""
        while self._may_start(host):
            how = await self._one_life(host)
            if host.is_leaving:
                return
            self._on_death(host)
            self._note(host, "zone-died", how)
            if not self._may_start(host):
                return
            wait_s = host.restarts.after_death(time.monotonic_ns() / 1e9, hung=host.hung)
            if wait_s is None:
                why = f"died {host.restarts.recent} times, the last time {how}"
                host.given_up = True
                self._note(host, "zone-quarantined", f"{why}; it is not started again")
                self._on_given_up(host, why)
                return
            await trio.sleep(wait_s)

    async def watch(self, hosts: Callable[[], Iterable[Host]]) -> None:
        """For ever, find processes that hang, and have them die."""
        async with trio.open_nursery() as nursery:
            while True:
                began_s = trio.current_time()
                await trio.sleep(LOOK_S)
                delayed = trio.current_time() - began_s > LOOK_S + OWN_DELAY_S
                for host in hosts():
                    if delayed and process_state_of(host) not in STOPPED:
                        host.heard_ns = max(host.heard_ns, time.monotonic_ns())
                    elif (why := self._why_it_hangs(host)) and host not in self._examined:
                        nursery.start_soon(self._replace, host, host.handle, why)

    def _note(self, host: Host, kind: str, detail: str) -> None:
        self._on_event(kind, detail, zones=sorted(host.specs), pid=host.pid)

    def _may_start(self, host: Host) -> bool:
        return not self.ending and not host.is_leaving

    async def _one_life(self, host: Host) -> str:
        """From the start of a process to its end; returns how it ended."""
        host.is_starting, host.hung, host.pid = True, False, None
        try:
            handle = await self._start(host)
        except (OSError, EOFError) as error:
            host.is_starting = False
            host.died_ns = time.monotonic_ns()
            return f"before it began: {str(error) or type(error).__name__}"
        host.stands(handle)
        await handle.wait_until_ended()
        host.gone()
        return host.why_killed or handle.told()

    def _why_it_hangs(self, host: Host) -> str | None:
        """What is wrong with a process that says nothing; None as long as it may be well."""
        if host.handle is None or host.is_leaving or host.why_killed:
            return None
        pid, silent_s = host.handle.pid, (time.monotonic_ns() - host.heard_ns) / 1e9
        if silent_s < self._allowed_s / 2:
            self._doubts.pop(host, None)
            return None
        look = self._doubts.setdefault(host, _Doubt(cpu_ns(pid))).look(pid, silent_s)
        may_be_busy = self._may_be_busy or not host.is_up
        busiest_s = host.longest_busy_ns / 1e9
        why = why_it_hangs(look, self._allowed_s, busiest_s, may_be_busy=may_be_busy)
        if why is None and not host.is_up and silent_s > max(COMING_UP_S, self._allowed_s):
            why = "it does not come up"
        if why is None and host.is_up and silent_s > max(self._tick_bound_s, self._allowed_s):
            why = "it runs and does not come back; supervision.tick_hang_s allows it longer"
        return why and f"silent for {silent_s:.1f} s: {why}"

    async def _replace(self, host: Host, handle: ZoneProcessHandle | None, why: str) -> None:
        """Have it say where it stands, and end it."""
        if handle is None or handle is not host.handle:
            return  # it has ended by itself meanwhile
        self._examined.add(host)
        try:
            stack = await stacks_of(handle.pid, handle.stack_path)
            self._note(host, "zone-hung", f"{why}\n{stack}".strip())
            if handle is host.handle:
                host.hung = IS_STOPPED not in why  # that is found at once, and no work does it
                host.kill(f"killed: {why}")
        finally:
            self._examined.discard(host)
            self._doubts.pop(host, None)


def process_state_of(host: Host) -> str:
    """The state of the process that stands there."""
    return process_state(host.handle.pid) if host.handle is not None else ""


class _Doubt:
    """What has been seen of a process since it was silent for a while."""

    def __init__(self, spent_ns: int | None) -> None:
        self._spent_ns = spent_ns or 0
        self._asleep_looks = 0

    def look(self, pid: int, silent_s: float) -> Look:
        """Look once more."""
        state, spent_ns = process_state(pid), cpu_ns(pid) or 0
        self._asleep_looks = self._asleep_looks + 1 if state in SLEEPING else 0
        return Look(silent_s, state, (spent_ns - self._spent_ns) / 1e9, self._asleep_looks)
