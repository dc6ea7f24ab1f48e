"""`[[faults]]`: what goes wrong in a run, with whom and when. Knows keys, and breaks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from zonesim.scenario.steps import ZONES_MAX
from zonesim.scenario.surges import Surge
from zonesim.scenario.worker_bounds import WORKERS_MAX

FAULTS_MAX = 100
EVERY_MIN_S = 0.01  # more often, and a run would do little else
_TIME_MAX_S = 604_800
_ROUNDING = 1e-6  # of a tick: 1.2 s are three ticks of 0.4 s, whatever binary fractions say
_WHENS = ("at_tick", "at_s", "every_s")

_Moment = Annotated[float, Meta(ge=0, le=_TIME_MAX_S)]
_Duration = Annotated[float, Meta(gt=0, le=_TIME_MAX_S)]
_Worker = Annotated[
    int,
    Meta(
        ge=1,
        le=WORKERS_MAX,
        description="Number of the worker, as its title has it; without it, one is drawn.",
    ),
]
_Zone = Annotated[
    int,
    Meta(
        ge=0,
        le=ZONES_MAX - 1,
        description="Number of the zone, from 0; without it, one is drawn.",
    ),
]
_StallDuration = Annotated[
    _Duration,
    Meta(description="How long it stands still; without it, it never goes on by itself."),
]

Victims = Literal["worker", "zone"]


class FaultError(ValueError):
    """A fault that cannot be; the message is one line."""

    def __init__(self, message: str, inside: str = "") -> None:
        super().__init__(message)
        self.inside = inside  # the key that is wrong, below where the rule was checked


class _Fault(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"
):
    """What all faults share: when they strike."""

    victims: ClassVar[Victims | None] = None  # of what it strikes one; None: it strikes no process

    at_tick: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=100_000_000,
                description="When the zone, or without one the first of all, has come so far.",
            ),
        ]
        | None
    ) = None
    at_s: (
        Annotated[_Moment, Meta(description="Seconds after the first tick of the run is due.")]
        | None
    ) = None
    every_s: (
        Annotated[
            float,
            Meta(
                ge=EVERY_MIN_S,
                le=_TIME_MAX_S,
                description="Again and again, so many seconds apart.",
            ),
        ]
        | None
    ) = None
    first_s: (
        Annotated[_Moment, Meta(description="When every_s begins; every_s, if not given.")] | None
    ) = None
    until_s: (
        Annotated[_Duration, Meta(description="When every_s ends: nothing strikes then or later.")]
        | None
    ) = None

    def __post_init__(self) -> None:
        """Have it strike by one rule, and at least once."""
        given = [name for name in _WHENS if getattr(self, name) is not None]
        if len(given) != 1:
            raise FaultError(
                f"expected one of at_tick, at_s and every_s, found {' and '.join(given) or 'none'}"
                f"; {'remove one' if given else 'add one'}"
            )
        for name in ("first_s", "until_s"):
            value = getattr(self, name)
            if value is not None and self.every_s is None:
                raise FaultError(f"expected no {name} without every_s, found {value:g}", f".{name}")
        if self.until_s is not None and self.until_s <= self.begin_s:
            raise FaultError(
                f"expected more than {self.begin_s:g}, when it strikes first, found "
                f"{self.until_s:g}",
                ".until_s",
            )

    @property
    def begin_s(self) -> float:
        """The first moment of one that strikes by time, after the first tick of the run is due."""
        if self.every_s is None:
            return self.at_s or 0.0
        return self.every_s if self.first_s is None else self.first_s


class _WorkerFault(_Fault, frozen=True, kw_only=True):
    victims: ClassVar[Victims | None] = "worker"

    worker: _Worker | None = None


class _ZoneFault(_Fault, frozen=True, kw_only=True):
    victims: ClassVar[Victims | None] = "zone"

    zone: _Zone | None = None


class KillWorker(_WorkerFault, frozen=True, kw_only=True, tag="kill-worker"):
    """A worker process is killed."""


class StallWorker(_WorkerFault, frozen=True, kw_only=True, tag="stall-worker"):
    """A worker process is stopped."""

    for_s: _StallDuration | None = None


class KillZone(_ZoneFault, frozen=True, kw_only=True, tag="kill-zone"):
    """The process of a zone is killed, with all zones that share it."""


class StallZone(_ZoneFault, frozen=True, kw_only=True, tag="stall-zone"):
    """The process of a zone is stopped, with all zones that share it."""

    for_s: _StallDuration | None = None


class SurgeFault(_Fault, frozen=True, kw_only=True, tag="surge"):
    """More players for a while; in zones of chains, more chains.

    A zone counts the time in its own ticks, a period each, so that its world goes the same way
    whatever happens to its process.
    """

    players: Annotated[int, Meta(ge=1, le=1000, description="So many more in the zone.")]
    for_s: Annotated[_Duration, Meta(description="How long they stay.")]
    zone: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=ZONES_MAX - 1,
                description="Number of the zone, from 0; without it, every zone.",
            ),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        """Have one be over before the next one begins."""
        super().__post_init__()
        if self.every_s is not None and self.for_s > self.every_s:
            raise FaultError(
                f"expected at most every_s ({self.every_s:g}), found {self.for_s:g}", ".for_s"
            )

    def surge(self, period_s: float) -> Surge:
        """The same in ticks of a zone."""
        begin = _ticks(self.begin_s, period_s) if self.at_tick is None else self.at_tick
        return Surge(
            first_tick=begin,
            ticks=max(1, _ticks(self.for_s, period_s)),
            players=self.players,
            every_ticks=None if self.every_s is None else max(1.0, self.every_s / period_s),
            until_tick=None if self.until_s is None else _ticks(self.until_s, period_s),
        )


class SlowDisk(_Fault, frozen=True, kw_only=True, tag="slow-disk"):
    """The disk takes longer for each write, for a while."""

    delay_ms: Annotated[
        float, Meta(gt=0, le=60_000, description="How much longer each write takes.")
    ]
    for_s: Annotated[_Duration, Meta(description="How long that lasts.")]


Fault = KillWorker | KillZone | StallWorker | StallZone | SurgeFault | SlowDisk


def check_victims(faults: Sequence[Fault], zones: int, workers: int | None) -> None:
    """Refuse a fault whose victim a run of so many zones and workers never has.

    Without ``workers`` their number is not known, and any may be there. Raises FaultError.
    """
    for place, fault in enumerate(faults):
        match fault:
            case KillZone(zone=int(zone)) | StallZone(zone=int(zone)) | SurgeFault(zone=int(zone)):
                if zone >= zones:
                    raise FaultError(
                        f"expected a zone of the run, from 0 to {zones - 1}, found {zone}",
                        f".faults[{place}].zone",
                    )
            case KillWorker(worker=int(worker)) | StallWorker(worker=int(worker)):
                if workers is not None and worker > workers:
                    raise FaultError(
                        f"expected a worker of the run, from 1 to {workers}, found {worker}",
                        f".faults[{place}].worker",
                    )


def _ticks(seconds: float, period_s: float) -> int:
    """How many ticks begin before a time is over."""
    return ceil(seconds / period_s - _ROUNDING)
