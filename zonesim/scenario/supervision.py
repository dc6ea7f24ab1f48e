"""`[supervision]`: when a process counts as hung or dead, and how it is restarted."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Missed = Literal["skip", "burst", "delay"]  # what follows a late tick, in tokio's names

SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.25, 2.5
SHORTEST_SILENCE_S = 1.0
# A tick may have to wait for this many hung workers, one after another, until its call fails.
WORKER_HANGS_PER_TICK = 4.0
BEATS_ALLOWED = 1.5  # a process is given this many heartbeat intervals at least


class Supervision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[supervision]`: heartbeats, restarts and checkpoints of zone processes."""

    checkpoint_ticks: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Ticks between two checkpoints of a zone. 0 writes none: a zone whose "
            "process dies starts over.",
        ),
    ] = 10
    missed_beats: Annotated[
        int, Meta(ge=1, le=1000, description="Periods without a heartbeat until a process hangs.")
    ] = 3
    restarts: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Restarts of a process within window_s; it is given up after the next "
            "death. The same number of hangs is allowed without progress in between.",
        ),
    ] = 5
    window_s: Annotated[
        float, Meta(gt=0, le=86_400, description="How long a death counts against a process.")
    ] = 60.0
    backoff_s: Annotated[
        float, Meta(ge=0, le=60, description="Wait before a restart; it doubles with each one.")
    ] = 0.05
    backoff_max_s: Annotated[
        float, Meta(ge=0, le=600, description="The longest wait before a restart.")
    ] = 5.0
    worker_hang_s: Annotated[
        float,
        Meta(gt=0, le=86_400, description="Seconds in one batch of calls until a worker hangs."),
    ] = 30.0
    tick_hang_s: Annotated[
        Annotated[float, Meta(ge=0.1, le=86_400)] | None,
        Meta(
            description="Seconds without progress in a tick until its zone hangs; 4 times "
            "worker_hang_s unless given.",
        ),
    ] = None

    @property
    def tick_bound_s(self) -> float:
        """How long a tick may make no progress. By default hung workers are replaced first."""
        given_s = self.tick_hang_s
        return WORKER_HANGS_PER_TICK * self.worker_hang_s if given_s is None else given_s

    def silence_s(self, period_s: float) -> float:
        """How long a healthy process may send nothing."""
        missed_s = self.missed_beats * min(period_s, LONGEST_BEAT_S)
        return max(SHORTEST_SILENCE_S, missed_s, BEATS_ALLOWED * beat_s(period_s))


def beat_s(period_s: float) -> float:
    """After how long without a tick report a process sends a heartbeat.

    A little more than a period: where ticks are in time, their reports are heartbeat enough.
    """
    return min(max(1.25 * period_s, SHORTEST_BEAT_S), LONGEST_BEAT_S)
