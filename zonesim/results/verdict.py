"""How many zones a machine holds, and what keeps it from holding more, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .recovery import CUT_SHORT, Event
from .statistics import StepSummary, exceeded, limited_figures
from .step_table import count_zones, figure

# Of a scenario that does not set them: without them, a machine would hold whatever it is asked to.
DEFAULT_LIMITS = {"late_ratio": 0.05, "missed_ratio": 0.05, "lost": 0}

# From here on, a resource is the bound of a step that does not keep its limits.
STOLEN = 0.05  # of the CPU time, by the host
CORES_LEFT = 0.2  # or less; an average: at its peaks nothing is left
BUSY = 0.8  # of the time of a thread or of the workers
MEMORY = 0.9

_PROBLEMS: dict[str, Callable[[float], str]] = {
    "late_ratio": lambda share: f"{_percent(share)} late",
    "missed_ratio": lambda share: f"{_percent(share)} missed",
    "response_p99_ms": lambda ms: f"response p99 {figure(ms)} ms",
    "tick_p99_ms": lambda ms: f"tick p99 {figure(ms)} ms",
    "tps_min": lambda tps: f"{tps:.3g} ticks/s in the slowest zone",
    "lost": lambda calls: f"{calls:.0f} AsyncTasks lost",
}


class Verdict(NamedTuple):
    """How many zones a run has shown to be held, None for none, and the same in one line."""

    holds: int | None = None
    text: str | None = None  # None where nothing can be judged


def zones_held(steps: Iterable[tuple[int, bool]]) -> int | None:
    """The largest step that keeps its limits while all smaller ones do, too; None if none.

    ``steps`` gives for each its zones, and whether it keeps the limits.
    """
    kept = dict[int, bool]()
    for zones, keeps in steps:
        kept[zones] = kept.get(zones, True) and keeps
    too_many = min((zones for zones, keeps in kept.items() if not keeps), default=None)
    return max((z for z in kept if too_many is None or z < too_many), default=None)


def verdict_of(
    steps: Sequence[StepSummary],
    limits: Mapping[str, float],
    events: Sequence[Event] = (),
    memory_mb: float = 0.0,
) -> Verdict:
    """Judge the steps of a run that had a schedule; ``memory_mb`` is all of the machine's.

    What was cut short, by an interrupt or a failure, shows nothing.
    """
    cut = next((event for event in events if event.kind in CUT_SHORT), None)
    whole = [step for step in (steps[: cut.step - 1] if cut else steps) if step.duration_s]
    if not whole:
        return Verdict()
    problems = [
        (step.zones, _problem(step, limits, [e for e in events if e.step <= number], memory_mb))
        for number, step in enumerate(whole, start=1)
    ]
    holds = zones_held((zones, not problem) for zones, problem in problems)
    broken = [(zones, problem) for zones, problem in problems if problem]
    if cut is not None and not broken:
        broken = [(step.zones, CUT_SHORT[cut.kind]) for step in steps[cut.step - 1 :]]
    return Verdict(holds, _text(holds, *min(broken, default=(0, "")), whole))


def _text(holds: int | None, zones: int, problem: str, steps: Sequence[StepSummary]) -> str:
    """Say how many zones are held, and the problem of the first that are not, if any."""
    rate = f"{1e3 / steps[0].period_ms:.3g} ticks/s"
    if holds is None:
        return f"does not hold {count_zones(zones)} at {rate}: {problem}"
    text = f"holds {count_zones(holds)} at {rate}"
    if zones > holds:
        return f"{text}; at {zones}: {problem}"
    left = [s.cores_left for s in steps if s.zones == holds and s.cores_left is not None]
    return f"{text}, with {_percent(min(left))} of the cores left" if left else text


def _problem(
    step: StepSummary, limits: Mapping[str, float], events: Iterable[Event], memory_mb: float
) -> str:
    """What a step does not keep, and why; empty if it keeps everything."""
    quarantined = {event.zone for event in events if event.kind == "zone-quarantined"}
    given_up = len(quarantined & set(range(step.zones)))
    if given_up:
        return f"{count_zones(given_up)} quarantined"
    if not step.ticks:
        return "no tick ran"
    figures = limited_figures(step)
    broken = exceeded(figures, DEFAULT_LIMITS | dict(limits))
    found = [text(figures[name]) for name, text in _PROBLEMS.items() if name in broken]
    if found and broken != ["lost"]:
        found.append(_bound(step, memory_mb))
    return ", ".join(found)


def _bound(step: StepSummary, memory_mb: float) -> str:
    """Name what a step ran out of."""
    zones_per_process = step.zones / max(1, step.zone_processes)
    if step.cores_stolen is not None and step.cores_stolen >= STOLEN:
        return f"the host of this machine takes {_percent(step.cores_stolen)} of its CPU"
    if memory_mb and step.zones * (step.pss_mb_per_zone or 0) >= MEMORY * memory_mb:
        return "memory is the bound"
    if step.cores_left is not None and step.cores_left <= CORES_LEFT:
        return "CPU is the bound"
    if step.utilisation * zones_per_process >= BUSY:
        return "the thread of a zone process is the bound"
    if step.worker_utilisation >= BUSY:
        return "the workers are the bound"
    return "the bound is unclear"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"
