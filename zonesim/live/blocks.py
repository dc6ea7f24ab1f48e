"""The parts of the live table: the fleet, its zones, workers, events and past steps, as lines.

Knows how wide and how long they may be, and nothing of where they stand.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.text import Text

from zonesim.live.parts import (
    LABEL_WIDTH,
    WARNING_SHARE,
    aligned,
    bar,
    labelled,
    marked,
    row,
)
from zonesim.live.progress import EventLine, Progress, StepLine, WorkerLine, ZoneLine
from zonesim.results.step_table import figure

WORKER_ROWS = 4  # more workers are shown by their spread alone
_WORKER_BAR = 16
_WORKER_WIDTH = 38  # of its name, bar and use, and the gap behind
_SERIOUS = 1.0  # marked as what takes the whole period is

_ZONE_HEADING = (
    f"{'zone':>5}  {'state':<9}{'util':>7}{'MSPT p50':>11}{'p95':>8}{'TPS':>9}"
    f"{'players':>9}{'entities':>10}{'late':>7}"
)
_STEP_HEADING = (
    f"{'steps':{LABEL_WIDTH}}{'zones':>5}{'ticks':>10}{'late':>8}{'missed':>9}"
    f"{'p50 ms':>10}{'p95':>8}{'p99':>8}"
)


def fleet_lines(progress: Progress, width: int) -> list[Text]:
    """How the zones stand, all together."""
    states = [_state(name, count) for name, count in progress.zones_by_state.items()]
    missed = _count("missed", progress.missed, _SERIOUS)
    return [
        *labelled("zones", states, width),
        *aligned("TPS", _speeds(progress), row([f"ticks {progress.ticks}"]), width),
        *aligned("utilisation", _loads(progress), _count("late", progress.late), width),
        *aligned("response ms", _responses(progress), missed, width),
    ]


def zone_lines(zones: Sequence[ZoneLine], period_ms: float, rows: int) -> list[Text]:
    """Zones under their heading, the first of them, in so many lines."""
    if rows < 2 or not zones:
        return []
    return [row([_ZONE_HEADING], "bold"), *(_zone(zone, period_ms) for zone in zones[: rows - 1])]


def worker_lines(progress: Progress, width: int, rows: int = WORKER_ROWS) -> list[Text]:
    """The workers together, and a bar for each where ``rows`` lines hold all of them."""
    workers = progress.workers
    if not workers:
        return labelled("workers", ["none: AsyncTasks run inline"], width)
    shares = [worker.utilisation for worker in workers]
    in_a_row = max(1, width // _WORKER_WIDTH)
    each = len(workers) <= in_a_row * rows
    spread = "" if each else f", {min(shares):.0%} to {max(shares):.0%}"
    pieces: list[str | Text] = [
        str(len(workers)),
        f"use {sum(shares) / len(shares):.0%}{spread}",
        f"queue {_counted(progress.batches_queued, 'batch', 'batches')}",
        *([f"carried {progress.async_in_flight}"] if progress.async_in_flight else []),
        _count("restarts", progress.worker_restarts),
    ]
    lines = labelled("workers", pieces, width)
    bars = [_worker(worker) for worker in workers] if each else []
    return lines + [row(bars[i : i + in_a_row]) for i in range(0, len(bars), in_a_row)]


def event_lines(events: Sequence[EventLine], width: int) -> list[Text]:
    """What happened last, the newest below."""
    labels = ["events", *[""] * len(events)]
    return [_event(label, event, width) for label, event in zip(labels, events, strict=False)]


def step_lines(steps: Sequence[StepLine], period_ms: float) -> list[Text]:
    """The steps that have ended, under their heading."""
    if not steps:
        return []
    return [row([_STEP_HEADING], "bold"), *(_step(step, period_ms) for step in steps)]


def _speeds(progress: Progress) -> dict[str, Text]:
    rates = (progress.tps_lowest, progress.tps_median, progress.tps_highest)
    figures = (marked(_known(figure(rate), progress), 0.0) for rate in rates)
    return dict(zip(("lowest", "median", "highest"), figures, strict=True))


def _loads(progress: Progress) -> dict[str, Text]:
    uses = {"mean": progress.utilisation_mean, "highest": progress.utilisation_highest}
    left = round(progress.headroom, 2)
    return {
        name: marked(_known(_percent(use), progress), round(use, 2)) for name, use in uses.items()
    } | {"headroom": marked(_known(f"{left:.0%}", progress), 1.0 - left)}


def _responses(progress: Progress) -> dict[str, Text]:
    times_ms = (progress.response_p50_ms, progress.response_p95_ms, progress.response_p99_ms)
    figures = (marked(_known(figure(ms), progress), ms / progress.period_ms) for ms in times_ms)
    return dict(zip(("p50", "p95", "p99"), figures, strict=True))


def _known(text: str, progress: Progress) -> str:
    """A figure of ticks, as soon as there are any."""
    return text if progress.ticks else "-"


def _state(name: str, count: int) -> Text:
    return marked(f"{count} {name}", _SERIOUS if name == "Unhealthy" else 0.0)


def _count(name: str, count: int, share: float = WARNING_SHARE) -> Text:
    """A count of what should not be."""
    return Text.assemble(f"{name} ", marked(str(count), share if count else 0.0))


def _percent(share: float) -> str:
    """0.6%, 12%: two digits that count."""
    return f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _zone(zone: ZoneLine, period_ms: float) -> Text:
    p50_ms, p95_ms = zone.mspt_p50_ms, zone.mspt_p95_ms
    return row(
        [
            f"{zone.zone:>5}  {zone.state:<9}",
            marked(f"{zone.utilisation:.0%}", round(zone.utilisation, 2), 7),
            marked(figure(p50_ms), p50_ms / period_ms, 9),
            marked(figure(p95_ms), p95_ms / period_ms, 6),
            f"{figure(zone.tps):>7}{zone.players:>9}{zone.entities:>10}",
            marked(str(zone.late), WARNING_SHARE if zone.late else 0.0, 7),
        ]
    )


def _worker(worker: WorkerLine) -> Text:
    share = round(worker.utilisation, 2)
    return row(
        [
            f"{f'worker {worker.worker}':10} ",
            bar(share, _WORKER_BAR),
            marked(f"{share:.0%}", share, 5),
            "    ",
        ]
    )


def _event(label: str, event: EventLine, width: int) -> Text:
    at = f"{event.at_s:.1f} s"
    room = max(20, width - LABEL_WIDTH - 10)
    text = textwrap.shorten(event.text, room, placeholder=" ...")
    return row([f"{label:{LABEL_WIDTH}}{at:8}  {text}"])


def _step(step: StepLine, period_ms: float) -> Text:
    p50_ms, p95_ms, p99_ms = (step.response_p50_ms, step.response_p95_ms, step.response_p99_ms)
    return row(
        [
            f"{step.step:<{LABEL_WIDTH}}{step.zones:>5}{step.ticks:>10}",
            marked(str(step.late), WARNING_SHARE if step.late else 0.0, 8),
            marked(str(step.missed), _SERIOUS if step.missed else 0.0, 7),
            marked(figure(p50_ms), p50_ms / period_ms, 8),
            marked(figure(p95_ms), p95_ms / period_ms, 6),
            marked(figure(p99_ms), p99_ms / period_ms, 6),
        ]
    )
