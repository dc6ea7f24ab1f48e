"""The keys of a scenario: types, bounds, defaults and meanings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .durations import LONGEST_S
from .faults import FAULTS_MAX, WORKERS_MAX, Fault, SurgeFault, check_targets
from .load_shape import EXAMPLES, ZONES_MAX, Step, Surge, parse_steps
from .supervision import Missed, Supervision

DEFAULT_DURATION_S = 10.0

MapKind = Literal["caves", "fields", "towns"]
MADE_KINDS: tuple[MapKind, ...] = ("caves", "fields", "towns")

# `$` alone would let a line feed through at the end; the look-ahead refuses it.
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)"
# At most 60 s; the chains workload relies on it.
_WORK_PATTERN = (
    r"^(none|(sleep|spin):([1-9][0-9]{0,5}us|([1-9][0-9]{0,3}|[1-5][0-9]{4}|60000)ms))$(?!\n)"
)

_ZoneCount = Annotated[int, Meta(ge=1, le=ZONES_MAX)]
_Count = Annotated[int, Meta(ge=0)]
_Ratio = Annotated[float, Meta(ge=0, le=1)]
_Milliseconds = Annotated[float, Meta(gt=0, le=3_600_000)]
_MapSide = Annotated[int, Meta(ge=16, le=1024)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table is immutable, and an unknown key in it is an error."""


class MapTable(_Table, frozen=True):
    """`[map]`: the ground of every zone, generated from the seed or read from a file."""

    kind: Annotated[
        Literal["caves", "fields", "towns", "mixed"],
        Meta(description="Kind of generated map; mixed gives zone i the kind i mod 3."),
    ] = "mixed"
    width: Annotated[_MapSide, Meta(description="Columns of a generated map, in cells.")] = 64
    height: Annotated[_MapSide, Meta(description="Rows of a generated map, in cells.")] = 64
    path: Annotated[
        str,
        Meta(description="A Moving AI .map file to use instead, relative to the scenario file."),
    ] = ""

    def kind_for(self, zone: int) -> MapKind:
        """Kind of the generated map of one zone, counted from 0."""
        return MADE_KINDS[zone % len(MADE_KINDS)] if self.kind == "mixed" else self.kind


class FieldTable(_Table, frozen=True):
    """`[field]`: mobs and players of a zone of the `field` workload."""

    mobs: Annotated[int, Meta(ge=1, le=10_000, description="Mobs in each zone.")] = 330
    players: Annotated[int, Meta(ge=0, le=1000, description="Simulated players in each zone.")] = 10


class ChainsTable(_Table, frozen=True):
    """`[chains]`: size of a tick of the `chains` workload."""

    chains: Annotated[
        int,
        Meta(ge=1, le=100_000, description="Chains in each tick, each 4 Tasks and 1 AsyncTask."),
    ] = 396
    work: Annotated[
        str,
        Meta(
            pattern=_WORK_PATTERN,
            description="What each AsyncTask does.",
            examples=["none", "sleep:5ms", "spin:200us"],
        ),
    ] = "none"


class WorkerBounds(_Table, frozen=True):
    """`[workers]`: the number of workers follows the load, between min and max."""

    max: Annotated[int, Meta(ge=1, le=WORKERS_MAX, description="Workers at most.")]
    min: Annotated[
        int, Meta(ge=1, le=WORKERS_MAX, description="Workers at least, and at the start.")
    ] = 1
    target_utilisation: Annotated[
        float, Meta(gt=0, le=1, description="Wanted busy share of each worker, from 0 to 1.")
    ] = 0.7
    buffer: Annotated[
        int, Meta(ge=0, le=WORKERS_MAX, description="Workers kept beyond those needed.")
    ] = 0
    sync_s: Annotated[
        float, Meta(ge=0.05, le=3600, description="Seconds between two adjustments.")
    ] = 2.0
    hold: Annotated[
        int,
        Meta(ge=1, le=1000, description="Adjustments in a row that must agree on fewer workers."),
    ] = 3

    def __post_init__(self) -> None:
        """Check that the bounds are an interval."""
        if self.min > self.max:
            raise ValueError(
                f"expected min to be at most max, found {self.min} and {self.max}; swap them"
            )


class Limits(_Table, frozen=True):
    """`[limits]`: what every step must keep; a run that breaks one ends with exit code 1."""

    late_ratio: Annotated[_Ratio | None, Meta(description="Late of executed ticks, at most.")] = (
        None
    )
    missed_ratio: Annotated[_Ratio | None, Meta(description="Missed of due ticks, at most.")] = None
    response_p99_ms: Annotated[
        _Milliseconds | None,
        Meta(description="p99 of finished - scheduled, at most."),
    ] = None
    tick_p99_ms: Annotated[
        _Milliseconds | None,
        Meta(description="p99 of finished - started, at most."),
    ] = None
    lost: Annotated[
        _Count | None, Meta(description="AsyncTasks that never came back, at most.")
    ] = None
    tps_min: Annotated[
        Annotated[float, Meta(gt=0, le=1000)] | None,
        Meta(description="Ticks per second of the slowest zone, at least."),
    ] = None
    unhealthy: Annotated[
        _Count | None,
        Meta(description="Zones not alive at the end, at most."),
    ] = None
    recovery_ms: Annotated[
        _Milliseconds | None,
        Meta(
            description="From the death of a zone to the end of its next tick, at most.",
        ),
    ] = None
    redone_ticks: Annotated[
        _Count | None,
        Meta(description="Ticks since its checkpoint that a zone repeats, at most."),
    ] = None

    def figures(self) -> dict[str, float]:
        """Only the limits that are set, by name."""
        limits = msgspec.structs.asdict(self).items()
        return {name: limit for name, limit in limits if limit is not None}


class Scenario(_Table, frozen=True):
    """One run, as described by a scenario file and the command line."""

    name: Annotated[
        str,
        Meta(
            pattern=_NAME_PATTERN,
            max_length=64,
            description="Part of the report folder's name; without it, the file's name.",
            examples=["evening-rush"],
        ),
    ] = "scenario"
    description: Annotated[str, Meta(description="One line for `zonesim scenarios`.")] = ""
    workload: Annotated[
        Literal["chains", "field"], Meta(description="What a tick of a zone does.")
    ] = "field"
    zones: Annotated[
        _ZoneCount
        | Annotated[list[_ZoneCount], Meta(min_length=1, max_length=100)]
        | Annotated[str, Meta(examples=list(EXAMPLES))],
        Meta(description="Number of zones, a list of them, or ramps: one step for each number."),
    ] = 1
    workers: Annotated[
        Annotated[int, Meta(ge=0, le=WORKERS_MAX)] | Literal["auto"] | WorkerBounds,
        Meta(
            description="Worker processes: 0 runs AsyncTasks inline, auto takes all usable CPUs, "
            "a table follows the load."
        ),
    ] = "auto"
    zones_per_process: Annotated[
        Annotated[int, Meta(ge=1, le=ZONES_MAX)] | Literal["auto"],
        Meta(
            description="Zones that share one process and main thread; auto gives each zone a "
            "process as long as the machine carries that, else deals all to a process for each CPU."
        ),
    ] = 1
    duration_s: Annotated[
        Annotated[float, Meta(gt=0, le=LONGEST_S)] | None,
        Meta(description="Seconds for each step whose ramp sets none; 10 without ticks either."),
    ] = None
    ticks: Annotated[
        Annotated[int, Meta(ge=1, le=100_000_000)] | None,
        Meta(
            description="Ticks of each zone in each step, instead of duration_s.",
        ),
    ] = None
    period_ms: Annotated[
        float, Meta(ge=1, le=60_000, description="Time from one due tick to the next.")
    ] = 400.0
    pace: Annotated[
        Literal["realtime", "max"],
        Meta(description="realtime keeps the period; max runs ticks back to back."),
    ] = "realtime"
    seed: Annotated[
        int, Meta(ge=0, le=2**63 - 1, description="Seed of the random generator of the world.")
    ] = 1
    late: Annotated[
        Literal["wait", "carry"],
        Meta(description="A tick waits for its AsyncTasks, or carries them into the next one."),
    ] = "wait"
    missed: Annotated[
        Missed,
        Meta(
            description="After a late tick: skip the overdue ones, run all of them in a burst, or "
            "delay the next one to a period after the late one's end."
        ),
    ] = "skip"
    transfer: Annotated[
        Literal["ring", "inline"],
        Meta(description="How AsyncTasks reach the workers; inline runs them in the zone."),
    ] = "ring"
    ring_mb: Annotated[
        float, Meta(ge=0.0625, le=1024, description="Shared memory of each zone's ring, in MiB.")
    ] = 1.0
    # Factories, so that the schema shows no default that repeats each table's own.
    map: MapTable = msgspec.field(default_factory=MapTable)
    field: FieldTable = msgspec.field(default_factory=FieldTable)
    chains: ChainsTable = msgspec.field(default_factory=ChainsTable)
    supervision: Supervision = msgspec.field(default_factory=Supervision)
    faults: Annotated[
        list[Fault],
        Meta(min_length=0, max_length=FAULTS_MAX, description="What goes wrong, and when."),
    ] = msgspec.field(default_factory=list)
    limits: Limits = msgspec.field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check that one rule ends each step, and that the run has what the faults name."""
        self._check_duration()
        worker_limit = self.workers.max if isinstance(self.workers, WorkerBounds) else self.workers
        if self.transfer == "inline" or worker_limit == "auto":
            worker_limit = 0
        check_targets(self.faults, max(self.steps), worker_limit or None)

    def _check_duration(self) -> None:
        every = any(step.duration_s for step in self._written)
        rival = "duration_s" if self.duration_s is not None else "ramps with `every`"
        if self.ticks is not None and (every or self.duration_s is not None):
            raise ValueError(f"expected ticks or {rival}, found both; remove one")

    @property
    def plan(self) -> tuple[Step, ...]:
        """The steps in order; their durations are None where ticks bound them."""
        default_s = None if self.ticks is not None else self.duration_s or DEFAULT_DURATION_S
        return tuple(Step(step.zones, step.duration_s or default_s) for step in self._written)

    @property
    def steps(self) -> tuple[int, ...]:
        """Number of zones of each step, in order."""
        return tuple(step.zones for step in self._written)

    @property
    def _written(self) -> tuple[Step, ...]:
        """The steps as ``zones`` has them."""
        if isinstance(self.zones, str):
            return parse_steps(self.zones)
        counts = [self.zones] if isinstance(self.zones, int) else self.zones
        return tuple(Step(zones, None) for zones in counts)

    @property
    def worker_count(self) -> int:
        """Workers to start with; `auto` is the number of usable CPUs."""
        if isinstance(self.workers, WorkerBounds):
            return self.workers.min
        if self.workers != "auto":
            return self.workers
        # Imported here: it loads all of corororo, which --help does not need.
        from corororo.processes import usable_cpus

        return usable_cpus()

    @property
    def worker_bounds(self) -> WorkerBounds | None:
        """Bounds of a number of workers that follows the load; None where it is fixed."""
        bounds = self.workers
        return bounds if isinstance(bounds, WorkerBounds) and self.transfer == "ring" else None

    def surges_for(self, zone: int) -> tuple[Surge, ...]:
        """The surges of one zone, in its ticks."""
        return tuple(
            fault.surge(self.period_ms / 1000)
            for fault in self.faults
            if isinstance(fault, SurgeFault) and fault.zone in (None, zone)
        )
