"""The keys of a scenario, their bounds and meanings. Knows no files and no processes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from zonesim.scenario.faults import FAULTS_MAX, Fault, SurgeFault, check_victims
from zonesim.scenario.steps import EXAMPLES, ZONES_MAX, Step, parse_steps
from zonesim.scenario.supervision import Missed, Supervision
from zonesim.scenario.surges import Surge
from zonesim.scenario.worker_bounds import WORKERS_MAX, WorkerBounds

DEFAULT_DURATION_S = 10.0

MapKind = Literal["caves", "fields", "towns"]
MADE_KINDS: tuple[MapKind, ...] = ("caves", "fields", "towns")

# `$` alone would let a line feed through at the end; the look-ahead refuses it.
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)"
# At most 60 s, as zonesim.workloads.work takes it; a test holds the two together.
_WORK_PATTERN = (
    r"^(none|(sleep|spin):([1-9][0-9]{0,5}us|([1-9][0-9]{0,3}|[1-5][0-9]{4}|60000)ms))$(?!\n)"
)

_ZoneCount = Annotated[int, Meta(ge=1, le=ZONES_MAX)]
_Ratio = Annotated[float, Meta(ge=0, le=1)]
_Milliseconds = Annotated[float, Meta(gt=0, le=3_600_000)]
_MapSide = Annotated[int, Meta(ge=16, le=1024)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all tables share: immutable, and an unknown key is an error."""


class MapTable(_Table, frozen=True):
    """`[map]`: the ground of every zone, made from the seed or read from a file."""

    kind: Annotated[
        Literal["caves", "fields", "towns", "mixed"],
        Meta(description="Kind of made map; mixed gives zone i the kind i mod 3."),
    ] = "mixed"
    width: Annotated[_MapSide, Meta(description="Columns of a made map, in cells.")] = 64
    height: Annotated[_MapSide, Meta(description="Rows of a made map, in cells.")] = 64
    path: Annotated[
        str,
        Meta(description="A Moving AI .map file instead of a made map, relative to the scenario."),
    ] = ""

    def kind_for(self, zone: int) -> MapKind:
        """Kind of the made map of one zone, counted from 0."""
        return MADE_KINDS[zone % len(MADE_KINDS)] if self.kind == "mixed" else self.kind


class FieldTable(_Table, frozen=True):
    """`[field]`: who lives in a zone of the workload `field`."""

    mobs: Annotated[int, Meta(ge=1, le=10_000, description="Mobs in each zone.")] = 330
    players: Annotated[int, Meta(ge=0, le=1000, description="Simulated players in each zone.")] = 10


class ChainsTable(_Table, frozen=True):
    """`[chains]`: how much a tick of the workload `chains` holds."""

    chains: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Chains in each tick; a chain is 4 Tasks and 1 AsyncTask.",
        ),
    ] = 396
    work: Annotated[
        str,
        Meta(
            pattern=_WORK_PATTERN,
            description="What each AsyncTask does.",
            examples=["none", "sleep:5ms", "spin:200us"],
        ),
    ] = "none"


class Limits(_Table, frozen=True):
    """`[limits]`: what every step, and then the run, must keep, or it ends with exit code 1."""

    late_ratio: (
        Annotated[_Ratio, Meta(description="Late ticks over executed ticks, at most.")] | None
    ) = None
    missed_ratio: (
        Annotated[_Ratio, Meta(description="Missed ticks over due ticks, at most.")] | None
    ) = None
    response_p99_ms: (
        Annotated[_Milliseconds, Meta(description="p99 of finished - scheduled, at most.")] | None
    ) = None
    tick_p99_ms: (
        Annotated[_Milliseconds, Meta(description="p99 of finished - started, at most.")] | None
    ) = None
    lost: (
        Annotated[int, Meta(ge=0, description="AsyncTasks that never came back, at most.")] | None
    ) = None
    tps_min: (
        Annotated[
            float,
            Meta(gt=0, le=1000, description="Ticks per second of the slowest zone, at least."),
        ]
        | None
    ) = None
    unhealthy: (
        Annotated[
            int, Meta(ge=0, description="Zones that are not alive at the end of the run, at most.")
        ]
        | None
    ) = None
    recovery_ms: (
        Annotated[
            _Milliseconds,
            Meta(description="Death of a zone to the end of its first tick after it, at most."),
        ]
        | None
    ) = None
    redone_ticks: (
        Annotated[
            int,
            Meta(
                ge=0,
                description="Ticks that a zone runs again after one death, at most: those since "
                "its checkpoint.",
            ),
        ]
        | None
    ) = None

    def figures(self) -> dict[str, float]:
        """Only the limits that are set, by name."""
        return {
            name: limit for name, limit in msgspec.structs.asdict(self).items() if limit is not None
        }


class Scenario(_Table, frozen=True):
    """One run, as its author wrote it down."""

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
            description="Worker processes; 0 runs AsyncTasks inline, auto takes all usable CPUs, "
            "a table has their number follow the load."
        ),
    ] = "auto"
    zones_per_process: Annotated[
        int, Meta(ge=1, le=ZONES_MAX, description="Zones that share one process and main thread.")
    ] = 1
    # At most one of duration_s and ticks is not None, and none where a ramp says how long.
    duration_s: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=604_800,
                description="Seconds for each step; 10 when ticks is not given either.",
            ),
        ]
        | None
    ) = None
    ticks: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=100_000_000,
                description="Ticks of each zone in each step, instead of duration_s.",
            ),
        ]
        | None
    ) = None
    period_ms: Annotated[
        float, Meta(ge=1, le=60_000, description="Time from one due tick to the next.")
    ] = 400.0
    pace: Annotated[
        Literal["realtime", "max"],
        Meta(description="realtime keeps the period; max runs ticks back to back."),
    ] = "realtime"
    seed: Annotated[
        int, Meta(ge=0, le=2**63 - 1, description="All that happens in the world follows from it.")
    ] = 1
    late: Annotated[
        Literal["wait", "carry"],
        Meta(description="A tick waits for its AsyncTasks, or carries them into the next one."),
    ] = "wait"
    missed: Annotated[
        Missed,
        Meta(
            description=(
                "After a late tick: skip those overdue by whole periods, run all overdue ones in "
                "a burst, or delay the next one to a period after the late one's end."
            )
        ),
    ] = "skip"
    transfer: Annotated[
        Literal["ring", "inline"], Meta(description="How AsyncTasks reach the workers.")
    ] = "ring"
    ring_mb: Annotated[
        float, Meta(ge=0.0625, le=1024, description="Shared memory of each zone's ring.")
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
        """Have one rule for how long steps are, and no fault that can find nobody."""
        self._bound_steps()
        check_victims(self.faults, max(self.steps), self._worker_limit)

    def _bound_steps(self) -> None:
        """Have one of ticks, duration_s and ramps say how long steps are."""
        if self.ticks is not None and self.duration_s is not None:
            raise ValueError(
                f"expected ticks or duration_s, found both ({self.ticks} and "
                f"{self.duration_s:g}); remove one"
            )
        every_s = next((step.duration_s for step in self._written if step.duration_s), None)
        bounds = {"ticks": self.ticks, "duration_s": self.duration_s}
        bound = next((name for name, value in bounds.items() if value is not None), None)
        if every_s is not None and bound is not None:
            raise ValueError(
                f"expected {bound} or ramps with `every`, found both ({bounds[bound]:g} and "
                f"every {every_s:g}s); remove one"
            )
        if every_s is None and bound is None:
            msgspec.structs.force_setattr(self, "duration_s", DEFAULT_DURATION_S)

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
        return tuple(
            Step(n, None) for n in ([self.zones] if isinstance(self.zones, int) else self.zones)
        )

    @property
    def worker_count(self) -> int:
        """Workers to start; `auto` is the number of CPUs that this process may use."""
        if isinstance(self.workers, WorkerBounds):
            return self.workers.min
        if self.workers != "auto":
            return self.workers
        from corororo.processes import usable_cpus  # slow to import, and --help needs none of it

        return usable_cpus()

    def surges_for(self, zone: int) -> tuple[Surge, ...]:
        """The surges that a zone is to have, for its ZoneSpec."""
        return tuple(
            fault.surge(self.period_ms / 1000)
            for fault in self.faults
            if isinstance(fault, SurgeFault) and fault.zone in (None, zone)
        )

    @property
    def _worker_limit(self) -> int | None:
        """The number that no worker exceeds; None where the machine decides, or there are none."""
        if self.transfer == "inline" or self.workers == "auto":
            return None
        return self.workers.max if isinstance(self.workers, WorkerBounds) else self.workers or None

    @property
    def worker_bounds(self) -> WorkerBounds | None:
        """Within which their number follows the load; None where it stays."""
        if isinstance(self.workers, WorkerBounds) and self.transfer == "ring":
            return self.workers
        return None
