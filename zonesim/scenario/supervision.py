"""What a scenario may say of how its processes are watched over. Watches nobody."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Missed = Literal["skip", "burst", "delay"]  # what follows a late tick, in tokio's names

SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.25, 2.5
SHORTEST_SILENCE_S = 1.0
WORKERS_FIRST = 4.0  # so many workers may hang at one call until that fails
BEATS_ALLOWED = 1.5  # of silence, at least: who is well says so once a beat


class Supervision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[supervision]`: when zone processes are started anew, and from where they go on."""

    checkpoint_ticks: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Ticks between two checkpoints of a zone; 0 writes none, and a zone that "
            "dies begins anew.",
        ),
    ] = 10
    missed_beats: Annotated[
        int, Meta(ge=1, le=1000, description="Periods without a word after which a process hangs.")
    ] = 3
    restarts: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Restarts of a process within window_s; it is given up after the next "
            "death. One that hangs has as many until it gets on.",
        ),
    ] = 5
    window_s: Annotated[
        float, Meta(gt=0, le=86_400, description="How long a death counts against a process.")
    ] = 60.0
    backoff_s: Annotated[
        float, Meta(ge=0, le=60, description="The wait before a restart; it doubles with each.")
    ] = 0.05
    backoff_max_s: Annotated[
        float, Meta(ge=0, le=600, description="The longest wait before a restart.")
    ] = 5.0

    worker_hang_s: Annotated[
        float,
        Meta(
            gt=0,
            le=86_400,
            description="Seconds after which a worker that is still at one batch of calls hangs.",
        ),
    ] = 30.0
    tick_hang_s: (
        Annotated[
            float,
            Meta(
                ge=0.1,
                le=86_400,
                description="Seconds in which nothing comes of a tick, after which its zone "
                "hangs; unless it is given, 4 times worker_hang_s.",
            ),
        ]
        | None
    ) = None

    @property
    def tick_bound_s(self) -> float:
        """What a zone may take at one tick without getting on: workers that hang go first."""
        given_s = self.tick_hang_s
        return WORKERS_FIRST * self.worker_hang_s if given_s is None else given_s

    def silence_s(self, period_s: float) -> float:
        """How long a process that is well may say nothing."""
        missed_s = self.missed_beats * min(period_s, LONGEST_BEAT_S)
        return max(SHORTEST_SILENCE_S, missed_s, BEATS_ALLOWED * beat_s(period_s))


def beat_s(period_s: float) -> float:
    """After how long without a tick a process says that it is well.

    A little more than a period: where ticks run in time, they are all that is said.
    """
    return min(max(1.25 * period_s, SHORTEST_BEAT_S), LONGEST_BEAT_S)
