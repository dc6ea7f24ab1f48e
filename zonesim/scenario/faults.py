"""`[[faults]]`: what goes wrong in a run, where and when."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Annotated

import msgspec
from msgspec import Meta

from .durations import LONGEST_S
from .load_shape import ZONES_MAX, Surge

FAULTS_MAX = 100
WORKERS_MAX = 256
EVERY_MIN_S = 0.01
_ROUNDING = 1e-6  # of a tick: 1.2 s are three ticks of 0.4 s, whatever binary fractions say

_Moment = Annotated[float, Meta(ge=0, le=LONGEST_S)]
_ZoneNumber = Annotated[int, Meta(ge=0, le=ZONES_MAX - 1)]
_Duration = Annotated[float, Meta(gt=0, le=LONGEST_S)]
_Worker = Annotated[
    Annotated[int, Meta(ge=1, le=WORKERS_MAX)] | None,
    Meta(
        description="Number of the worker, as in its process title; one at random without it.",
    ),
]
_Zone = Annotated[
    _ZoneNumber | None,
    Meta(
        description="Number of the zone, from 0; one at random without it.",
    ),
]
_StallDuration = Annotated[
    _Duration | None,
    Meta(description="How long it is stopped; permanently if not given."),
]


class FaultError(ValueError):
    """A fault that cannot happen; the message is one line."""

    def __init__(self, message: str, inside: str = "") -> None:
        super().__init__(message)
        self.inside = inside  # the key that is wrong, below where the rule was checked


class _Fault(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"
):
    """When a fault strikes; the same keys for every kind."""

    at_tick: Annotated[
        Annotated[int, Meta(ge=0, le=100_000_000)] | None,
        Meta(
            description="When the zone reaches this tick; without a zone, the first one that does.",
        ),
    ] = None
    at_s: Annotated[
        _Moment | None,
        Meta(description="Seconds after the first tick of the run is due."),
    ] = None
    every_s: Annotated[
        Annotated[float, Meta(ge=EVERY_MIN_S, le=LONGEST_S)] | None,
        Meta(description="Repeatedly, with this interval."),
    ] = None
    first_s: Annotated[
        _Moment | None,
        Meta(description="When every_s starts; after one interval if unset."),
    ] = None

    def __post_init__(self) -> None:
        """Check that it strikes by exactly one rule, and at least once."""
        rules = ("at_tick", "at_s", "every_s")
        given = [name for name in rules if getattr(self, name) is not None]
        if len(given) != 1:
            raise FaultError(
                f"expected one of at_tick, at_s and every_s, found {' and '.join(given) or 'none'}"
                f"; {'remove one' if given else 'add one'}"
            )
        if self.first_s is not None and self.every_s is None:
            raise FaultError(f"expected every_s beside first_s = {self.first_s:g}, found none")

    @property
    def begin_s(self) -> float:
        """The first strike of a fault with at_s or every_s, from the first due tick on."""
        if self.every_s is None:
            return self.at_s or 0.0
        return self.every_s if self.first_s is None else self.first_s


class KillWorker(_Fault, frozen=True, kw_only=True, tag="kill-worker"):
    """A worker process is killed."""

    worker: _Worker = None


class StallWorker(_Fault, frozen=True, kw_only=True, tag="stall-worker"):
    """A worker process is stopped."""

    worker: _Worker = None
    for_s: _StallDuration = None


class KillZone(_Fault, frozen=True, kw_only=True, tag="kill-zone"):
    """The process of a zone is killed, with all zones that share it."""

    zone: _Zone = None


class StallZone(_Fault, frozen=True, kw_only=True, tag="stall-zone"):
    """The process of a zone is stopped, with all zones that share it."""

    zone: _Zone = None
    for_s: _StallDuration = None


class SurgeFault(_Fault, frozen=True, kw_only=True, tag="surge"):
    """More players for a while; in zones of the chains workload, more chains.

    Its times are converted to ticks of the zone, so that the world stays reproducible whatever
    happens to the zone's process.
    """

    players: Annotated[int, Meta(ge=1, le=1000, description="Extra players in the zone.")]
    for_s: Annotated[_Duration, Meta(description="How long they stay.")]
    zone: Annotated[
        _ZoneNumber | None,
        Meta(
            description="Number of the zone, from 0; every zone without it.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Check that a surge ends before the next one begins."""
        super().__post_init__()
        if self.every_s is not None and self.for_s > self.every_s:
            raise FaultError(
                f"expected at most every_s ({self.every_s:g}), found {self.for_s:g}", ".for_s"
            )

    def surge(self, period_s: float) -> Surge:
        """The surge in ticks of a zone."""
        return Surge(
            first_tick=_ticks(self.begin_s, period_s) if self.at_tick is None else self.at_tick,
            ticks=max(1, _ticks(self.for_s, period_s)),
            players=self.players,
            every_ticks=None if self.every_s is None else max(1.0, self.every_s / period_s),
        )


class SlowDisk(_Fault, frozen=True, kw_only=True, tag="slow-disk"):
    """Every write to disk takes longer, for a while."""

    delay_ms: Annotated[float, Meta(gt=0, le=60_000, description="Delay of each write.")]
    for_s: Annotated[_Duration, Meta(description="How long that lasts.")]


Fault = KillWorker | KillZone | StallWorker | StallZone | SurgeFault | SlowDisk


def check_targets(faults: Sequence[Fault], zones: int, workers: int | None) -> None:
    """Refuse a fault that names a zone or a worker that the run never has.

    ``workers`` is None where their number is not known; then any may be named. Raises FaultError.
    """
    for place, fault in enumerate(faults):
        zone, worker = getattr(fault, "zone", None), getattr(fault, "worker", None)
        if zone is not None and zone >= zones:
            raise FaultError(
                f"expected a zone of the run, from 0 to {zones - 1}, found {zone}",
                f".faults[{place}].zone",
            )
        if worker is not None and workers is not None and worker > workers:
            raise FaultError(
                f"expected a worker of the run, from 1 to {workers}, found {worker}",
                f".faults[{place}].worker",
            )


def fault_text(fault: Fault) -> str:
    """A fault in one short line: `stall-worker: worker 3, every 40 s, for 3 s`."""
    return f"{fault.__struct_config__.tag}: {_what(fault)}, {_when(fault)}{_how_long(fault)}"


def more_players(players: int) -> str:
    """The size of a surge in words."""
    return "1 more player" if players == 1 else f"{players} more players"


def _what(fault: Fault) -> str:
    match fault:
        case KillWorker(worker=worker) | StallWorker(worker=worker):
            return "a random worker" if worker is None else f"worker {worker}"
        case KillZone(zone=zone) | StallZone(zone=zone):
            return "a random zone" if zone is None else f"zone {zone}"
        case SurgeFault(players=players, zone=zone):
            where = "every zone" if zone is None else f"zone {zone}"
            return f"{more_players(players)} in {where}"
        case SlowDisk(delay_ms=delay_ms):
            return f"each write {delay_ms:g} ms longer"


def _when(fault: Fault) -> str:
    if fault.at_tick is not None:
        return f"at tick {fault.at_tick}"
    if fault.every_s is None:
        return f"at {fault.begin_s:g} s"
    begins = "" if fault.first_s is None else f" from {fault.first_s:g} s on"
    return f"every {fault.every_s:g} s{begins}"


def _how_long(fault: Fault) -> str:
    if isinstance(fault, KillWorker | KillZone):
        return ""
    return ", permanently" if fault.for_s is None else f", for {fault.for_s:g} s"


def _ticks(seconds: float, period_s: float) -> int:
    """How many ticks start within a time."""
    return ceil(seconds / period_s - _ROUNDING)
