"""What Coro-Roro's performance plan expects of each of its phases. Measures nothing.

Of a range the plan's worse end stands here: it is what the plan calls achievable. Its zones are
those on one main thread; its 1,980 switches a tick count every coroutine, of which 396 leave it.
"""

from __future__ import annotations

from typing import NamedTuple

PERIOD_MS = 400.0  # of a zone; what all zones on one main thread have to share


class Milestone(NamedTuple):
    """What a phase is to reach; None where the plan does not say."""

    switch_us: float | None = None  # one thread switch, at most
    switches: int | None = None  # in a tick, at most
    tick_ms: float | None = None  # one tick of one zone, at most
    zones: int | None = None  # at least


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
