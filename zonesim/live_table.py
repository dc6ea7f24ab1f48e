"""The live table, drawn from a run's states. Knows no stream and no time."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from zonesim.progress import Progress, WorkerLine
from zonesim.step_table import figure

WARNING_SHARE = 0.8  # of the period: yellow from here, red from the whole period on
STEPS_SHOWN = 10  # with WORKERS_SHOWN, what a terminal of 24 lines holds
WORKERS_SHOWN = 6

# Two lines each, so that 80 columns hold them all.
_HEADINGS = (
    *("step", "zones", "ready", "ticks", "late", "missed"),
    *("resp.\np50 ms", "\np95 ms", "\np99 ms", "in\nflight", "worker\nuse", "re-\nstarts"),
)


def render(title: str, latest: list[Progress], period_ms: float) -> RenderableType:
    """The whole live table: `latest` holds the last state of each step, the present one last."""
    present = latest[-1]
    head = Text.assemble(
        (title, "bold"),
        f"  step {present.step} of {present.steps}: {count_zones(present.zones)}, {present.phase}",
    )
    return Group(
        head,
        bar(*_share_done(present)),
        "",
        _table(latest[-STEPS_SHOWN:], period_ms),
        "",
        _workers(present.workers),
    )


def response_style(value_ms: float, period_ms: float) -> str:
    """Colour of a response time: yellow from 80 % of the period, red from 100 %."""
    if value_ms >= period_ms:
        return "red"
    return "yellow" if value_ms >= WARNING_SHARE * period_ms else ""


def _share_done(progress: Progress) -> tuple[float, str]:
    """How much of the step is done, 0 to 1, and the same in words."""
    if progress.phase == "starting":
        ready = f"{progress.zones_ready} of {count_zones(progress.zones)} ready"
        return progress.zones_ready / progress.zones, ready
    if progress.duration_s is not None:
        done = f"{progress.elapsed_s:.1f} of {progress.duration_s:g} s"
        return min(1.0, progress.elapsed_s / progress.duration_s), done
    wanted = progress.ticks_wanted or progress.ticks or 1
    return min(1.0, progress.ticks / wanted), f"{progress.ticks} of {wanted} ticks"


def bar(share: float, text: str) -> Table:
    """A bar over the whole width with its share and a word behind it; share is 0 to 1."""
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    row.add_row(ProgressBar(total=1.0, completed=share), f"{share:4.0%}  {text}")
    return row


def _table(latest: list[Progress], period_ms: float) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for progress in latest:
        style = "" if progress is latest[-1] else "dim"
        table.add_row(*_cells(progress, period_ms), style=style)
    return table


def _cells(progress: Progress, period_ms: float) -> list[Text | str]:
    responses_ms = (
        progress.response_p50_ms,
        progress.response_p95_ms,
        progress.response_p99_ms,
    )
    return [
        str(progress.step),
        str(progress.zones),
        str(progress.zones_ready),
        str(progress.ticks),
        Text(str(progress.late), "yellow" if progress.late else ""),
        Text(str(progress.missed), "red" if progress.missed else ""),
        *(Text(figure(ms), response_style(ms, period_ms)) for ms in responses_ms),
        str(progress.async_in_flight),
        f"{_mean_utilisation(progress.workers):.0%}" if progress.workers else "-",
        Text(str(progress.worker_restarts), "yellow" if progress.worker_restarts else ""),
    ]


def _workers(workers: tuple[WorkerLine, ...]) -> RenderableType:
    """A bar for each of a few workers; only the spread of many."""
    if not workers:
        return Text("no workers: AsyncTasks run inline", "dim")
    if len(workers) > WORKERS_SHOWN:
        shares = [worker.utilisation for worker in workers]
        mean = _mean_utilisation(workers)
        return Text(
            f"{len(workers)} workers in use: mean {mean:.0%}, "
            f"{min(shares):.0%} to {max(shares):.0%}"
        )
    rows = Table.grid(padding=(0, 1))
    for worker in workers:
        share = min(1.0, worker.utilisation)
        use = ProgressBar(total=1.0, completed=share, width=40, finished_style="bar.complete")
        rows.add_row(Text(worker.name), use, f"{worker.utilisation:4.0%}")
    return rows


def _mean_utilisation(workers: tuple[WorkerLine, ...]) -> float:
    return sum(worker.utilisation for worker in workers) / len(workers)


def count_zones(zones: int) -> str:
    """1 zone, 2 zones."""
    return "1 zone" if zones == 1 else f"{zones} zones"
