"""Places with stand-ins for zone processes, and whoever watches over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from zonesim.processes.slot import Host
from zonesim.processes.supervisor import Supervisor
from zonesim.scenario.supervision import Supervision
from zonesim.system.text import process_text
from zonesim.workloads.base import ZoneSpec

HOUR_NS = 3_600_000_000_000
PERIOD_S = 0.5
POLICY = Supervision(missed_beats=4)
NOBODY = 2**31 - 1  # no system gives a process such a number
NOWHERE = Path("/nowhere/zone-process.stack")


class StandIn:
    """In the place of a zone process: ends by itself after a while, or when it is killed."""

    def __init__(self, pid: int = NOBODY, lasts_s: float = math.inf) -> None:
        self.pid = pid
        self.stack_path = NOWHERE
        self.killed = False
        self.on_end: Callable[[], None] = lambda: None
        self._lasts_s = lasts_s
        self._ended = trio.Event()

    async def wait_until_ended(self) -> None:
        with trio.move_on_after(self._lasts_s):
            await self._ended.wait()

    def told(self) -> str:
        return "by signal 9" if self.killed else "with exit code 3"

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
    """Starts what it is told to start, and keeps all that the supervisor says."""

    def __init__(
        self,
        policy: Supervision = POLICY,
        period_s: float = PERIOD_S,
        may_be_busy: bool = False,
    ) -> None:
        self.lives: list[StandIn | Exception] = []  # those to come
        self.started_s: list[float] = []
        self.events = Events()
        self.deaths: list[Host] = []
        self.given_up: list[tuple[Host, str]] = []
        self.supervisor = Supervisor(
            self._start,
            policy,
            period_s,
            may_be_busy,
            self.deaths.append,
            lambda host, why: self.given_up.append((host, why)),
            self.events.note,
        )

    async def _start(self, host: Host) -> StandIn:
        self.started_s.append(trio.current_time())
        life = self.lives.pop(0)
        if isinstance(life, Exception):
            raise life
        return life

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]


def place(policy: Supervision = POLICY, zone: int = 7) -> Host:
    host = Host(zone, policy)
    host.specs[zone] = ZoneSpec(zone, 1, PERIOD_S, "chains", "")
    return host


def follow_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have supervisor and places know no other time than that of trio."""
    clock = SimpleNamespace(monotonic_ns=lambda: HOUR_NS + round(trio.current_time() * 1e9))
    monkeypatch.setattr("zonesim.processes.supervisor.time", clock)
    monkeypatch.setattr("zonesim.processes.slot.time", clock)
