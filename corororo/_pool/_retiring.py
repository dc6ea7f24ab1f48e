"""How a worker is asked to end, and those that were asked, until they have. Knows no batches.

A signal asks: it reaches a worker whatever it does, and ends nothing. The worker finishes the batch
that it has, takes no other, and ends with an exit code that nobody else ends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corororo._worker._main import RETIRE_SIGNAL
from corororo.abc import Clock

if TYPE_CHECKING:  # which starts what ends here
    from ._process import WorkerProcess

# A signal that comes just before its process falls asleep is heeded only when that wakes up. So
# it is sent again, after twice as long each time: a long call is not to be woken all the time.
FIRST_GAP_S = 0.01
LONGEST_GAP_S = 5.0


class Retiring:
    """The workers of one pool that were asked to end and still run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.workers: list[WorkerProcess] = []
        self._reminders: dict[int, tuple[float, float]] = {}  # by number: when, and the gap

    def add(self, worker: WorkerProcess) -> None:
        """Ask it to end."""
        self.workers.append(worker)
        self._ask(worker, FIRST_GAP_S)

    def remove(self, worker: WorkerProcess) -> None:
        """It has ended."""
        self.workers.remove(worker)
        del self._reminders[worker.number]

    def remind(self) -> None:
        """Ask those again that have not ended for a while."""
        now = self._clock.now()
        for worker in self.workers:
            due, gap_s = self._reminders[worker.number]
            if now >= due:
                self._ask(worker, min(2 * gap_s, LONGEST_GAP_S))

    def next_reminder_s(self) -> float | None:
        """Seconds until ``remind`` wants to be called; None where nobody is to be reminded."""
        first = min((due for due, _ in self._reminders.values()), default=None)
        return None if first is None else max(0.0, first - self._clock.now())

    def _ask(self, worker: WorkerProcess, gap_s: float) -> None:
        worker.send_signal(RETIRE_SIGNAL)
        self._reminders[worker.number] = (self._clock.now() + gap_s, gap_s)
