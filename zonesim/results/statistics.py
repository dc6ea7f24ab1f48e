"""The figures of a step, computed from its tick rows, and the limits that it has to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import ceil
from types import MappingProxyType

import msgspec

from zonesim.results.recovery import Recovery
from zonesim.results.step_info import NS_PER_MS as NS_PER_MS
from zonesim.results.step_info import StepInfo, count_missed
from zonesim.wire.messages import TickRow

NO_DEATHS = Recovery()


class Distribution(msgspec.Struct, frozen=True):
    """A set of durations in milliseconds; all zero when the set is empty."""

    min: float
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


class AsyncTaskCounts(msgspec.Struct, frozen=True):
    """Counts of a step's AsyncTasks; ``lost`` are those that no other count explains."""

    submitted: int
    completed: int
    failed: int
    retried: int
    lost: int


class Breakdown(msgspec.Struct, frozen=True):
    """Parts of the mean tick in milliseconds; they add up to the mean tick time."""

    step: float
    encode: float
    wait: float
    resume: float
    gc: float
    other: float  # the rest; negative if the measured parts overlap


class StepSummary(msgspec.Struct, frozen=True):
    """One step as ``summary.json`` gives it."""

    zones: int
    zone_processes: int
    workers: float  # mean over time
    period_ms: float
    duration_s: float
    ticks: int
    late: int
    missed: int
    tick_ms: Distribution  # finished - started
    lateness_ms: Distribution  # started - scheduled
    response_ms: Distribution  # finished - scheduled
    tps: float  # ticks per second of a zone, mean over zones
    tps_min: float  # of the slowest zone
    isr: float
    utilisation: float
    main_thread_ms: Distribution
    us_per_coroutine: float
    tasks: int
    async_tasks: AsyncTaskCounts
    batches: int
    worker_utilisation: float  # busy time as a share of the time of all workers
    cores_left: float | None  # share of the machine's CPU time that nobody used; None if unknown
    cores_stolen: float | None  # share that the host of a virtual machine took
    pss_mb_per_zone: float | None  # None if the platform does not tell
    breakdown_ms: Breakdown


class LimitsResult(msgspec.Struct, frozen=True):
    """Whether a run kept its limits, and a sentence for each that it broke."""

    ok: bool
    broken: list[str]


def percentile(ordered: Sequence[int], p: float) -> int:
    """Return percentile ``p`` (0 to 1) of sorted values: ``ordered[ceil(p * (n - 1))]``."""
    return ordered[ceil(p * (len(ordered) - 1))]


def distribution_ms(values_ns: Iterable[int]) -> Distribution:
    """Summarise durations, given in nanoseconds and in any order."""
    ordered = sorted(values_ns) or [0]
    return Distribution(
        min=_ms(ordered[0]),
        mean=_ms(sum(ordered) / len(ordered)),
        p50=_ms(percentile(ordered, 0.50)),
        p95=_ms(percentile(ordered, 0.95)),
        p99=_ms(percentile(ordered, 0.99)),
        max=_ms(ordered[-1]),
    )


def lateness_ns(row: TickRow, pace: str) -> int:
    """Return how long after its due time a tick started; 0 at pace "max": nothing is due."""
    return 0 if pace == "max" else row.started_ns - row.scheduled_ns


def response_ns(row: TickRow, pace: str) -> int:
    """Return the time from a tick's due time to its end: the wait that a player feels."""
    return lateness_ns(row, pace) + tick_ns(row)


def tick_ns(row: TickRow) -> int:
    """Return how long a tick took, waiting included."""
    return row.finished_ns - row.started_ns


def carried_between(last: Mapping[int, TickRow], rows: Sequence[TickRow]) -> int:
    """Count the AsyncTasks that zones carried from their ``last`` rows into a step's ``rows``.

    A zone that a new process took over carries nothing.
    """
    first = {row.zone: row for row in reversed(rows)}
    return sum(
        last[zone].carried
        for zone, row in first.items()
        if zone in last and row.pid == last[zone].pid and row.tick > last[zone].tick
    )


def summarise_step(
    rows: Iterable[TickRow],
    step: StepInfo,
    *,
    worker_busy_ns: int = 0,
    pss_mb_per_zone: float | None = None,
    carried_in: int = 0,
    until: Mapping[int, int] = MappingProxyType({}),
) -> StepSummary:
    """Compute every figure of a step; ``worker_busy_ns`` is the sum over all workers."""
    ordered = sorted(rows, key=lambda row: (row.zone, row.started_ns))
    realtime = step.pace != "max"
    busy_ns = sum(row.busy_ns for row in ordered)
    tasks = sum(row.tasks for row in ordered)
    async_tasks = _count_async_tasks(ordered, carried_in)
    missed = count_missed(ordered, step, until) if realtime else 0
    tick_ms = distribution_ms(tick_ns(row) for row in ordered)
    return StepSummary(
        zones=step.zones,
        zone_processes=step.zone_processes,
        workers=step.workers,
        period_ms=step.period_ms,
        duration_s=step.duration_s,
        ticks=len(ordered),
        late=sum(row.late for row in ordered) if realtime else 0,
        missed=missed,
        tick_ms=tick_ms,
        lateness_ms=distribution_ms(lateness_ns(row, step.pace) for row in ordered),
        response_ms=distribution_ms(response_ns(row, step.pace) for row in ordered),
        tps=_ratio(len(ordered), step.zones * step.duration_s),
        tps_min=_ratio(_ticks_of_slowest(ordered, step.zones), step.duration_s),
        isr=_instability_ratio(ordered, step, missed),
        utilisation=_ratio(busy_ns / NS_PER_MS, step.period_ms * len(ordered)),
        main_thread_ms=distribution_ms(row.busy_ns for row in ordered),
        us_per_coroutine=_ratio(busy_ns / 1_000, tasks + async_tasks.submitted),
        tasks=tasks,
        async_tasks=async_tasks,
        batches=sum(row.batches for row in ordered),
        worker_utilisation=_ratio(worker_busy_ns / 1e9, step.workers * step.duration_s),
        cores_left=step.cores_left,
        cores_stolen=step.cores_stolen,
        pss_mb_per_zone=pss_mb_per_zone,
        breakdown_ms=_break_down(ordered, tick_ms.mean),
    )


def check_limits(
    steps: Sequence[StepSummary], limits: Mapping[str, float], recovery: Recovery = NO_DEATHS
) -> LimitsResult:
    """Compare each step and the run with the limits: upper bounds, except ``tps_min``.

    A step without a tick breaks every limit.
    """
    broken: list[str] = []
    for number, step in enumerate(steps, start=1):
        name = f"step {number} ({step.zones} {'zone' if step.zones == 1 else 'zones'})"
        if limits and not step.ticks:
            broken.append(f"{name}: no tick ran, so no limit is shown to hold")
            continue
        broken += [f"{name}: {text}" for text in _broken_limits(limited_figures(step), limits)]
    figures = {
        "unhealthy": recovery.zones_unhealthy,
        "recovery_ms": recovery.recovery_ms_max,
        "redone_ticks": recovery.redone_ticks_max,
    }
    broken += [f"run: {text}" for text in _broken_limits(figures, limits)]
    return LimitsResult(ok=not broken, broken=broken)


def limited_figures(step: StepSummary) -> dict[str, float]:
    """The figures of a step that limits are about, by the names of the limits."""
    return {
        "late_ratio": _ratio(step.late, step.ticks),
        "missed_ratio": _ratio(step.missed, step.ticks + step.missed),
        "response_p99_ms": step.response_ms.p99,
        "tick_p99_ms": step.tick_ms.p99,
        "lost": step.async_tasks.lost,
        "tps_min": step.tps_min,
    }


def exceeded(figures: Mapping[str, float], limits: Mapping[str, float]) -> list[str]:
    """The names of the limits that figures do not keep."""
    pairs = {name: (figures[name], limit) for name, limit in limits.items() if name in figures}
    return [n for n, (v, limit) in pairs.items() if (v < limit if n == "tps_min" else v > limit)]


def _broken_limits(figures: Mapping[str, float], limits: Mapping[str, float]) -> Iterable[str]:
    for name in exceeded(figures, limits):
        side = "below" if name == "tps_min" else "above"
        yield f"{name} is {figures[name]:.6g}, {side} the limit of {limits[name]:.6g}"


def _ms(ns: float) -> float:
    # Rounded to the nanosecond of the clock: more digits would be noise in the JSON.
    return round(ns / NS_PER_MS, 6)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _count_async_tasks(rows: Sequence[TickRow], carried_in: int) -> AsyncTaskCounts:
    submitted = sum(row.async_submitted for row in rows)
    completed = sum(row.async_completed for row in rows)
    failed = sum(row.async_failed for row in rows)
    # Per process: what a dead process carried is no longer expected by anyone.
    still_out = sum(row.carried for row in {(row.zone, row.pid): row for row in rows}.values())
    return AsyncTaskCounts(
        submitted=submitted,
        completed=completed,
        failed=failed,
        retried=sum(row.retried for row in rows),
        lost=carried_in + submitted - completed - failed - still_out,
    )


def _ticks_of_slowest(rows: Sequence[TickRow], zones: int) -> int:
    ticks = Counter(row.zone for row in rows)
    return min(ticks.values(), default=0) if len(ticks) >= zones else 0


def _instability_ratio(rows: Sequence[TickRow], step: StepInfo, missed: int) -> float:
    """Compute the ISR: how much tick times jump beyond the period; 0 is steady, even overloaded.

    Source: Eickhoff, Donkervliet, Iosup, "Meterstick", ICPE '23.
    """
    period_ns = step.period_ms * NS_PER_MS
    at_least_ns = [(row.zone, max(period_ns, tick_ns(row))) for row in rows]
    jumps_ns = sum(
        abs(now - before) for (zone, before), (same, now) in pairwise(at_least_ns) if zone == same
    )
    # Without a schedule, as many ticks are expected as would have fitted into the time.
    whole_ns = sum(ns for _, ns in at_least_ns)
    expected = whole_ns / period_ns if step.pace == "max" else len(rows) + missed
    return _ratio(jumps_ns, expected * 2 * period_ns)


def _break_down(rows: Sequence[TickRow], mean_tick_ms: float) -> Breakdown:
    fields = ("step_ns", "encode_ns", "waiting_ns", "resume_ns", "gc_ns")  # in Breakdown's order
    sums_ns = [sum(getattr(row, field) for row in rows) for field in fields]
    parts_ms = [_ms(_ratio(sum_ns, len(rows))) for sum_ns in sums_ns]
    return Breakdown(*[*parts_ms, round(mean_tick_ms - sum(parts_ms), 6)])
