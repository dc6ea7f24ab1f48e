"""A place for a zone process: which zones belong there, who stands there now, and the wire to it.

The place outlives the process. Starts nothing and decides nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from zonesim.processes.handle import ZoneProcessHandle
from zonesim.processes.restarts import Restarts
from zonesim.scenario.supervision import Supervision
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import Order, process_title
from zonesim.wire.ticks import TickRow
from zonesim.workloads.base import ZoneSpec

REPLAYED = 10  # ticks; where there are no checkpoints nobody knows, and it is not given up for it


class Host:
    """One of the places of a run."""

    def __init__(self, number: int, policy: Supervision) -> None:
        self.number = number
        self.specs: dict[int, ZoneSpec] = {}  # by zone: those that belong here
        self.restarts = Restarts(policy)
        self.is_starting = False  # a process comes up whose id is not known yet
        self.is_kept = False  # somebody sees to it that a process stands here
        self.given_up = False  # nobody will stand here any more
        self.is_leaving = False  # the process has been told to end
        self.why_killed = ""  # where this run has killed the process: what was wrong with it
        self.hung = False  # and that it did not come back from something
        self.handle: ZoneProcessHandle | None = None
        self.pid: int | None = None  # of the process that runs or ran here last
        self.channel: Channel | None = None
        self.assigned: set[int] = set()  # zones that the process has been told to make
        self.made: set[int] = set()  # and that it has made
        self.drained: set[int] = set()  # and that have ended, with their players given away
        self.missed: set[int] = set()  # zones whose process has died, until they are back
        self.next_ticks: dict[int, int] = {}  # where the zones stood when they were made
        self.hung_zones: tuple[int, ...] = ()  # whose ticks hung last, where that is known
        self._replayed = policy.checkpoint_ticks or REPLAYED  # at most, until a tick is another one
        self._ran: Counter[int] = Counter()  # by zone: ticks of this process
        self.longest_busy_ns = 0  # of the ticks that were told from here
        self.step_ordered = self.step_done = 0
        self.heard_ns = 0  # when it last said anything, or was started
        self.died_ns = 0  # when the one before it died; 0 where there was none

    @property
    def title(self) -> str:
        """What the process here calls itself."""
        return process_title(sorted(self.specs)) if self.specs else f"zone process {self.number}"

    @property
    def is_up(self) -> bool:
        """Whether all zones that belong here can follow orders."""
        return self.channel is not None and bool(self.specs) and self.specs.keys() <= self.made

    def stands(self, handle: ZoneProcessHandle) -> None:
        """A new process stands here, and has not said a word yet."""
        self.handle, self.channel, self.why_killed = handle, None, ""
        self.pid = handle.pid
        self._ran.clear()
        self.is_starting = False
        self.assigned, self.made, self.drained = set(), set(), set()
        self.heard()

    def connected(self, channel: Channel) -> None:
        """It has said hello."""
        self.channel = channel
        self.heard()

    def heard(self) -> None:
        """It has said something."""
        self.heard_ns = time.monotonic_ns()

    def note_ticks(self, rows: Iterable[TickRow]) -> None:
        """Learn how long the main thread here may be busy with a tick, and how far zones are."""
        for row in rows:
            self.longest_busy_ns = max(self.longest_busy_ns, row.busy_ns)
            self._ran[row.zone] += 1
            is_asked = not self.hung_zones or row.zone in self.hung_zones
            if is_asked and self._ran[row.zone] > self._replayed:
                self.restarts.got_on()  # it has come past the tick at which it hung

    def gone(self) -> None:
        """It has ended."""
        self.handle, self.channel, self.made = None, None, set()
        self.step_ordered = self.step_done = 0  # whoever comes runs what was not saved again
        self.missed.update(self.specs)
        self.died_ns = time.monotonic_ns()

    def kill(self, why: str) -> None:
        """End the process now, whatever it does."""
        self.why_killed = self.why_killed or why
        if self.handle is not None:
            self.handle.kill()

    async def tell(self, order: Order) -> None:
        """Send an order; who has ended hears none, and whoever minds the place sees to that."""
        if self.channel is not None:
            with suppress(ControlError):
                await self.channel.send(order)
