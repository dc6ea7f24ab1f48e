"""How busy each worker was over the last seconds. Knows no zones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import corororo as cr
from zonesim.live.progress import WorkerLine
from zonesim.wire.messages import WorkerTotals


class WorkerGauge:
    """Remembers what workers had done at each look.

    What they do becomes known when ticks end, so a look back has to be longer than a tick.
    """

    def __init__(self, recent_ns: int) -> None:
        self._recent_ns = recent_ns
        self._looks: deque[tuple[int, dict[int, int]]] = deque()  # when; busy time by number

    def lines(
        self, totals: Iterable[WorkerTotals], workers: Sequence[cr.WorkerStatus], now_ns: int
    ) -> tuple[WorkerLine, ...]:
        """A line for each worker: its share of the time since the oldest look of the last ones."""
        here = {worker.number for worker in workers}  # where many die, those are few of all
        busy_ns = {total.worker: total.busy_ns for total in totals if total.worker in here}
        self._looks.append((now_ns, busy_ns))
        while len(self._looks) > 2 and self._looks[1][0] <= now_ns - self._recent_ns:
            self._looks.popleft()
        then_ns, before_ns = self._looks[0]
        since_ns = max(1, now_ns - then_ns)
        return tuple(
            WorkerLine(worker.place, min(1.0, did_ns / since_ns))
            for worker in workers
            for did_ns in (busy_ns.get(worker.number, 0) - before_ns.get(worker.number, 0),)
        )
