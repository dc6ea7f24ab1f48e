"""What others have said before us: the plan that this project answers, and its original.

Measures nothing. The plan is Coro-Roro's own ("Performance Optimization Plan"): its baseline, its
formula, its targets. The original's figures were measured: built with g++ 12 -O3, with 2 worker
threads on a machine of 2 cores.
"""

from __future__ import annotations

from typing import NamedTuple

from .core import COROUTINES

PLAN = "Coro-Roro as its plan has it"
ORIGINAL = "Coro-Roro, built and measured"

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
ORIGINAL_STORM_MS = 5.7  # 10 empty awaits in each of 1,980 Tasks

SPINNING_SAVES = (0.0592, 0.0999)  # what spinning saves in bursts, by the plan
VECTORS_SAVE = 0.0463  # what vectors save over calls one by one, by the plan


class Levels(NamedTuple):
    """A figure that the plan wants, in three grades."""

    conservative: float
    aggressive: float
    ultimate: float


SWITCH_US = Levels(100.0, 10.0, 1.0)
IMPACT_MS = Levels(150.0, 50.0, 5.0)
ZONE_MS = Levels(150.0, 50.0, 5.0)
HUNDRED_ZONES_MS = Levels(15_000.0, 5_000.0, 500.0)
TICKS_A_SECOND = Levels(6.7, 20.0, 200.0)

# The success criteria that are times: those of a period of 400 ms.
CRITERION_SWITCH_US = 1_000.0
CRITERION_TICK_MS = 400.0


def impact_ms(overhead_us: float) -> float:
    """What a tick of LandSandBoat takes when each of its coroutines costs so much."""
    return overhead_us * COROUTINES / 1_000
