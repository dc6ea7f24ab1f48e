"""A slot for a zone process: its zones, the process that runs them now, and its channel."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import trio

from corororo.processes import (
    ANSWER_S,
    DEAD,
    STACK_SIGNAL,
    StartedProcess,
    forkserver,
    is_dead,
    process_state,
    read_stacks,
)
from zonesim.processes.preload import PRELOAD
from zonesim.scenario.supervision import Supervision
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import FromController, TickRow, process_title
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.process import zone_process_main

POLL_S = 0.05
STACK_POLL_S = 0.02
STATE_CHECK_S = 1.0  # a fork server that hangs reports no deaths
FORK_SERVER_LOST = 255  # the exit code that multiprocessing reports when it does not know
STOP_S = 2.0
REPLAYED_TICKS = 10  # ticks that a restarted zone may repeat, where there are no checkpoints


class ZoneProcessHandle:
    """A started zone process; raises OSError or EOFError where none can be started."""

    def __init__(self, number: int, title: str, socket_path: Path, pool_address: str) -> None:
        self._stack_path = Path(pool_address) / f"zone-process-{number}.stack"
        self._stack_path.unlink(missing_ok=True)  # of the previous process
        arguments = (str(socket_path), pool_address, title, str(self._stack_path))
        process = forkserver(PRELOAD).Process(target=zone_process_main, args=arguments, daemon=True)
        self._process = StartedProcess(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def how_ended(self) -> str:
        """How the process has ended, in words."""
        code = self._process.poll()
        if code is None or code == FORK_SERVER_LOST:
            return "exit code unknown"
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"

    async def wait_until_ended(self) -> None:
        """Return once it has ended."""
        while self._process.poll() is None:
            with trio.move_on_after(STATE_CHECK_S):
                await trio.lowlevel.wait_readable(self._process.sentinel)
                break
            if process_state(self.pid) in DEAD:
                return  # the fork server hangs and does not report it
        await self._poll_until_ended()

    async def stacks(self) -> str:
        """Ask the process for its stacks, main thread first; "" where it does not answer."""
        return await stacks_of(self.pid, self._stack_path)

    def kill(self) -> None:
        """SIGKILL it, unless it has ended."""
        if not self.has_ended():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Give it time to end, then kill it."""
        # Polled: another task may wait on the sentinel, and trio allows only one.
        with trio.move_on_after(STOP_S, shield=True):
            await self._poll_until_ended()
        self.kill()
        with trio.move_on_after(STOP_S, shield=True):
            await self._poll_until_ended()

    def has_ended(self) -> bool:
        """Whether it is known to have ended."""
        code = self._process.poll()
        if code != FORK_SERVER_LOST:
            return code is not None
        # Its fork server is gone. In a container without an init an orphan stays a zombie.
        return is_dead(self.pid)

    async def _poll_until_ended(self) -> None:
        while not self.has_ended():  # noqa: ASYNC110 - a process sets no trio.Event
            await trio.sleep(POLL_S)


async def stacks_of(pid: int, path: Path) -> str:
    """Ask a process for its stacks, which it writes to ``path``; "" where it does not answer."""
    with suppress(ProcessLookupError):
        os.kill(pid, STACK_SIGNAL)
        os.kill(pid, signal.SIGCONT)  # a stopped process answers once it continues
    stacks = ""
    with trio.move_on_after(ANSWER_S):
        while not stacks or stacks != read_stacks(path):  # until all of it is written
            stacks = read_stacks(path)
            await trio.sleep(STACK_POLL_S)
    return stacks


class ProcessSlot:
    """One slot of a run; it outlives its process."""

    def __init__(self, number: int, policy: Supervision) -> None:
        self.number = number
        self.specs: dict[int, ZoneSpec] = {}  # by zone: those assigned to this slot
        self.is_starting = False  # a process is being started, its id is not known yet
        self.is_supervised = False
        self.quarantined = False  # no process is started any more
        self.retiring = False  # the process has been told to end
        self.why_killed = ""  # empty unless this run has killed the process
        self.hung = False  # it was killed because it hung
        self.handle: ZoneProcessHandle | None = None
        self.pid: int | None = None  # of the current or latest process
        self.channel: Channel | None = None
        self.assigned: set[int] = set()  # zones that the process was told to create
        self.made: set[int] = set()  # zones that it has created
        self.drained: set[int] = set()  # zones that it has ended
        self.missed: set[int] = set()  # zones whose process has died, until they are back
        self.next_ticks: dict[int, int] = {}  # by zone, when they were created
        self.hung_zones: tuple[int, ...] = ()  # that hung last, where known
        self.longest_busy_ns = 0  # of all ticks so far
        self.step_ordered = self.step_done = 0
        self.heard_ns = 0  # of the latest message, or the start
        self.died_ns = 0  # of the previous process; 0 for none
        self.restarts = Restarts(policy)
        self._replayed = policy.checkpoint_ticks or REPLAYED_TICKS
        self._ran: Counter[int] = Counter()  # by zone: ticks of this process

    @property
    def title(self) -> str:
        """The title of its process."""
        return process_title(sorted(self.specs)) if self.specs else f"zone process {self.number}"

    @property
    def is_up(self) -> bool:
        """Whether its process has created all of its zones."""
        return self.channel is not None and bool(self.specs) and self.specs.keys() <= self.made

    def attach(self, handle: ZoneProcessHandle) -> None:
        """A new process has been started."""
        self.handle, self.channel, self.why_killed = handle, None, ""
        self.pid = handle.pid
        self._ran.clear()
        self.is_starting = False
        self.assigned, self.made, self.drained = set(), set(), set()
        self.heard()

    def connected(self, channel: Channel) -> None:
        """The process has connected."""
        self.channel = channel
        self.heard()

    def heard(self) -> None:
        """The process has sent a message."""
        self.heard_ns = time.monotonic_ns()

    def note_ticks(self, rows: Iterable[TickRow]) -> None:
        """Learn how long ticks take, and whether zones are past the tick at which they hung."""
        for row in rows:
            self.longest_busy_ns = max(self.longest_busy_ns, row.busy_ns)
            self._ran[row.zone] += 1
            had_hung = not self.hung_zones or row.zone in self.hung_zones
            if had_hung and self._ran[row.zone] > self._replayed:
                self.restarts.forget_hangs()

    def detach(self) -> None:
        """The process has ended."""
        self.handle, self.channel, self.made = None, None, set()
        self.step_ordered = self.step_done = 0  # the next process repeats what was not saved
        self.missed.update(self.specs)
        self.died_ns = time.monotonic_ns()

    def kill(self, why: str) -> None:
        """Kill the process; the first reason is kept."""
        self.why_killed = self.why_killed or why
        if self.handle is not None:
            self.handle.kill()

    async def send(self, order: FromController) -> None:
        """Send an order; nothing happens if the process has ended."""
        if self.channel is not None:
            with suppress(ControlError):
                await self.channel.send(order)


class Restarts:
    """Decides whether, and when, a process that died is restarted.

    The bound is that of Erlang's supervisors: so many restarts within a time window. The wait
    doubles with each death in the window. Detecting a hang may take longer than the window, so
    hangs count until the zone has passed the tick at which it hung.
    """

    def __init__(self, policy: Supervision) -> None:
        self._policy = policy
        self._deaths_s: list[float] = []
        self._hangs = 0

    @property
    def recent(self) -> int:
        """Deaths that count now."""
        return max(len(self._deaths_s), self._hangs)

    def forget_hangs(self) -> None:
        """The zones are past the tick at which they hung."""
        self._hangs = 0

    def after_death(self, now_s: float, *, hung: bool = False) -> float | None:
        """Seconds to wait until the restart; None to quarantine the slot."""
        policy = self._policy
        self._deaths_s = [at for at in self._deaths_s if at > now_s - policy.window_s] + [now_s]
        self._hangs += hung
        if self.recent > policy.restarts:
            return None
        return min(policy.backoff_max_s, policy.backoff_s * 2.0 ** (self.recent - 1))
