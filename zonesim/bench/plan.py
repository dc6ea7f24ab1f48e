"""Figures of Coro-Roro: its performance plan, and measurements of the original.

The original was built with g++ 12 -O3 and measured with 2 worker threads on 2 cores. Of a range in
the plan the worse end stands here: it is what the plan calls achievable.
"""

from __future__ import annotations

from typing import NamedTuple

from .program import COROUTINES

PLAN = "Coro-Roro's plan"
ORIGINAL = "Coro-Roro, built"

# -- what the plan measured before it

SYMMETRIC = "Task->Task"
SWITCH = "Task->AsyncTask"
WORKER_SWITCH = "AsyncTask->AsyncTask"
MIXED = "4 Tasks->AsyncTask"  # Task->Task->Task->Task->AsyncTask

PLAN_US = {SYMMETRIC: 125.0, SWITCH: 22_153.0, WORKER_SWITCH: 28_929.0, MIXED: 59_982.0}
PLAN_IMPACT_MS = {SYMMETRIC: 247.0, SWITCH: 43_862.0, WORKER_SWITCH: 57_279.0, MIXED: 118_764.0}

ORIGINAL_TASK_US = 0.081  # Task->Task, memory warm
ORIGINAL_ALONE_US = 3.0  # Task->AsyncTask->Task
ORIGINAL_TICK_MS = 0.93  # 1,980 coroutines, back to back
ORIGINAL_PACED_MS = 2.5  # the same after 20 ms without work

SPINNING_SAVES = (0.0592, 0.0999)  # of bursty work
VECTORS_SAVE = 0.0463  # over calls one by one


def impact_ms(overhead_us: float) -> float:
    """The plan's formula: a tick of LandSandBoat whose coroutines cost so much each."""
    return overhead_us * COROUTINES / 1_000


# -- its final targets


class Levels(NamedTuple):
    """A target in three grades."""

    conservative: float
    aggressive: float
    ultimate: float


SWITCH_US = Levels(100.0, 10.0, 1.0)
TICK_MS = Levels(150.0, 50.0, 5.0)  # of one zone
HUNDRED_ZONES_MS = Levels(15_000.0, 5_000.0, 500.0)
TICKS_A_SECOND = Levels(6.7, 20.0, 200.0)

# -- its milestones, phase by phase

PERIOD_MS = 400.0  # of a zone; what all zones on one main thread share


class Milestone(NamedTuple):
    """What a phase is to reach; None where the plan does not say."""

    switch_us: float | None = None  # one thread switch, at most
    switches: int | None = None  # in a tick, at most
    tick_ms: float | None = None  # one tick of one zone, at most
    zones: int | None = None  # on one main thread, at least


BEFORE = Milestone(switch_us=23_338.0, switches=1_980, tick_ms=118_764.0, zones=20)  # measured
HANDLES = Milestone(switch_us=1_000.0, tick_ms=5_000.0, zones=25)
DIRECT = Milestone(switch_us=500.0)
POOLED = Milestone(switch_us=200.0)
LOCK_FREE = Milestone(switch_us=100.0)
BATCHES = Milestone(switch_us=50.0)
ZERO_COPY = Milestone(switch_us=10.0, tick_ms=500.0, zones=50)  # and the end of phase 2
VECTORS = Milestone(switches=50, tick_ms=250.0, zones=75)
MEMORY = Milestone(tick_ms=200.0, zones=90)
WORKERS = Milestone(tick_ms=150.0, zones=100)
