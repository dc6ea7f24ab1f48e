"""Slots with stand-ins for zone processes, and a supervisor that is observed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import pytest
import trio

from zonesim.processes.slot import ProcessSlot
from zonesim.processes.supervisor import Supervisor
from zonesim.scenario.supervision import Supervision
from zonesim.system.text import process_text
from zonesim.workloads.base import ZoneSpec

HOUR_NS = 3_600_000_000_000
PERIOD_S = 0.5
POLICY = Supervision(missed_beats=4)
NO_PID = 2**31 - 1  # no system gives a process such a number


class StandIn:
    """Stands in for a zone process; ends by itself after a while, or when it is killed."""

    def __init__(self, pid: int = NO_PID, lasts_s: float = math.inf) -> None:
        self.pid = pid
        self.killed = False
        self.on_end: Callable[[], None] = lambda: None
        self._lasts_s = lasts_s
        self._ended = trio.Event()

    async def wait_until_ended(self) -> None:
        with trio.move_on_after(self._lasts_s):
            await self._ended.wait()

    def how_ended(self) -> str:
        return "by signal 9" if self.killed else "with exit code 3"

    async def stacks(self) -> str:
        return ""

    def has_ended(self) -> bool:
        return self._ended.is_set()

    def kill(self) -> None:
        self.killed = True
        self._ended.set()
        self.on_end()


class Events(list[tuple[str, str, str]]):
    """Keeps events: what happened, to which process, and the detail."""

    def note(
        self,
        kind: str,
        detail: str,
        *,
        zones: Iterable[int] = (),
        worker: int | None = None,
        pid: int | None = None,
    ) -> None:
        self.append((kind, process_text(list(zones), worker), detail))


class Observer:
    """Starts stand-ins and records what the supervisor reports."""

    def __init__(
        self,
        policy: Supervision = POLICY,
        period_s: float = PERIOD_S,
        may_be_busy: bool = False,
    ) -> None:
        self.lives: list[StandIn | Exception] = []  # those to come
        self.started_s: list[float] = []
        self.events = Events()
        self.deaths: list[ProcessSlot] = []
        self.given_up: list[tuple[ProcessSlot, str]] = []
        self.supervisor = Supervisor(
            self._start,
            policy,
            period_s,
            may_be_busy,
            self.deaths.append,
            lambda slot, why: self.given_up.append((slot, why)),
            self.events.note,
        )

    async def _start(self, slot: ProcessSlot) -> StandIn:
        self.started_s.append(trio.current_time())
        life = self.lives.pop(0)
        if isinstance(life, Exception):
            raise life
        return life

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]


def make_slot(policy: Supervision = POLICY, zone: int = 7) -> ProcessSlot:
    slot = ProcessSlot(zone, policy)
    slot.specs[zone] = ZoneSpec(zone, 1, PERIOD_S, "chains", "")
    return slot


def follow_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let supervisor and slots use the clock of trio."""
    clock = SimpleNamespace(monotonic_ns=lambda: HOUR_NS + round(trio.current_time() * 1e9))
    monkeypatch.setattr("zonesim.processes.supervisor.time", clock)
    monkeypatch.setattr("zonesim.processes.slot.time", clock)
