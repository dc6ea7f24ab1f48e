"""How many workers a load needs. Knows no pool, no clock and no zones.

After the autoscaler of Agones: at each sync what is in use and a buffer are wanted, within bounds.
In use are as many workers as keep each of them at the target utilisation. More are wanted at once,
fewer only when fewer would have done for several syncs in a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

WORKERS_MAX = 256
_ROUNDING = 1e-9  # 1.4 busy workers at a target of 0.7 are two, whatever binary fractions say


class WorkerBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[workers]`: their number follows the load, within bounds."""

    max: Annotated[int, Meta(ge=1, le=WORKERS_MAX, description="Workers at most.")]
    min: Annotated[
        int, Meta(ge=1, le=WORKERS_MAX, description="Workers at least, and at the start.")
    ] = 1
    target_utilisation: Annotated[
        float, Meta(gt=0, le=1, description="How busy each worker is to be, as a part of 1.")
    ] = 0.7
    buffer: Annotated[
        int, Meta(ge=0, le=WORKERS_MAX, description="Workers kept beyond those that are needed.")
    ] = 0
    sync_s: Annotated[
        float, Meta(ge=0.05, le=3600, description="Seconds between two looks at the load.")
    ] = 2.0
    hold: Annotated[
        int, Meta(ge=1, le=1000, description="Syncs in a row in which fewer must have done.")
    ] = 3

    def __post_init__(self) -> None:
        """Have an interval."""
        if self.min > self.max:
            raise ValueError(
                f"expected min to be at most max, found {self.min} and {self.max}; swap them"
            )


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
