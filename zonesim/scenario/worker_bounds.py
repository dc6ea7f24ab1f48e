"""How many workers a load needs. Knows no pool, no clock and no zones.

After the autoscaler of Agones: at each sync what is in use and a buffer are wanted, within bounds.
In use are as many workers as keep each of them at the target utilisation. More are wanted at once,
fewer only when fewer would have done for several syncs in a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from .tables import WorkerBounds

_ROUNDING = 1e-9  # 1.4 busy workers at a target of 0.7 are two, whatever binary fractions say


class Load(NamedTuple):
    """What the workers of a pool did between two syncs."""

    workers: int  # as many as there were
    busy_s: float  # of all of them together
    period_s: float

    @property
    def busy_workers(self) -> float:
        """How many were busy, in the mean.

        No more than there were: what a zone tells at the end of a long tick is of earlier, too.
        """
        return min(self.busy_s / self.period_s, float(self.workers)) if self.period_s > 0 else 0.0

    @property
    def utilisation(self) -> float:
        """The part of its time that each was busy, in the mean."""
        return self.busy_workers / self.workers if self.workers else 0.0


def desired_workers(loads: Sequence[Load], bounds: WorkerBounds) -> int:
    """How many workers there should be after these loads, the latest last; needs one or more."""
    latest = loads[-1]
    wanted = [_wanted(load, bounds) for load in loads[-bounds.hold :]]
    now = min(max(latest.workers, bounds.min), bounds.max)
    if wanted[-1] >= now:
        return wanted[-1]
    if len(wanted) < bounds.hold:
        return now
    return min(now, max(wanted))


def _wanted(load: Load, bounds: WorkerBounds) -> int:
    """What one load asks for by itself."""
    needed = math.ceil(load.busy_workers / bounds.target_utilisation - _ROUNDING)
    return min(max(needed + bounds.buffer, bounds.min), bounds.max)
