"""A saved run as figures and as one self-contained page, ``report.html``."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from zonesim.results.saved_run import Run, Summary, load_run, summarise, write_summary, writing
from zonesim.results.statistics import Distribution, StepSummary
from zonesim.results.step_table import workers_text
from zonesim.system.errors import error_line
from zonesim.system.text import process_text, write_whole

REPORT_FILE = "report.html"

_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { margin-bottom: 0; }
h2 { margin: 1.8em 0 .5em; font-size: 1.2em; border-bottom: 1px solid #ddd; }
.verdict { font-size: 1.2em; margin: .4em 0 0; }
.origin { color: #555; margin-top: .2em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #e5e5e5; }
th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child, table.text td, table.text th { text-align: left; }
th small { display: block; font-weight: 400; color: #666; }
td { white-space: nowrap; }
table.text td { white-space: pre-wrap; overflow-wrap: anywhere; vertical-align: top; }
img { max-width: 100%; height: auto; display: block; margin: 1em 0 2em; }
.ok { color: #00654a; } .broken { color: #a63d00; font-weight: 600; }
"""

# A module of this room, whose picture has its name, and the title.
FIGURES = {
    "tick_time": "Response time against zones",
    "distribution": "Tick times of each step",
    "heatmap": "Response time of every zone over time",
    "breakdown": "Where a tick goes",
}

# Heading, unit, figure.
_COLUMNS: list[tuple[str, str, Callable[[StepSummary], str]]] = [
    ("zones", "", lambda step: str(step.zones)),
    ("processes", "", lambda step: str(step.zone_processes)),
    ("workers", "", workers_text),
    ("ticks", "", lambda step: f"{step.ticks:,}"),
    ("late", "", lambda step: f"{step.late:,}"),
    ("missed", "", lambda step: f"{step.missed:,}"),
    ("rate", "ticks/s", lambda step: f"{step.tps:.3g}"),
    ("slowest zone", "ticks/s", lambda step: f"{step.tps_min:.3g}"),
    ("ISR", "0 to 1", lambda step: f"{step.isr:.2g}"),
    ("zone busy", "% of period", lambda step: f"{100 * step.utilisation:.2g}"),
    ("worker busy", "%", lambda step: f"{100 * step.worker_utilisation:.3g}"),
    ("per coroutine", "µs", lambda step: f"{step.us_per_coroutine:.3g}"),
    (
        "memory per zone",
        "MB",
        lambda step: "unknown" if step.pss_mb_per_zone is None else f"{step.pss_mb_per_zone:.3g}",
    ),
]
_CALLS: list[tuple[str, str, Callable[[StepSummary], str]]] = [
    ("zones", "", lambda step: str(step.zones)),
    ("duration", "s", lambda step: f"{step.duration_s:.1f}"),
    ("Tasks", "", lambda step: f"{step.tasks:,}"),
    ("AsyncTasks", "submitted", lambda step: f"{step.async_tasks.submitted:,}"),
    ("completed", "", lambda step: f"{step.async_tasks.completed:,}"),
    ("failed", "", lambda step: f"{step.async_tasks.failed:,}"),
    ("run again", "", lambda step: f"{step.async_tasks.retried:,}"),
    ("lost", "", lambda step: f"{step.async_tasks.lost:,}"),
    ("batches", "", lambda step: f"{step.batches:,}"),
]
_TIMES: list[tuple[str, Callable[[StepSummary], Distribution]]] = [
    ("response", lambda step: step.response_ms),
    ("tick", lambda step: step.tick_ms),
    ("lateness", lambda step: step.lateness_ms),
    ("main thread", lambda step: step.main_thread_ms),
]


def redraw(
    directory: Path,
    on_figure: Callable[[], None] = lambda: None,
    on_failure: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write ``summary.json``, the figures and the report of a run anew from ``run.sqlite``.

    ``on_figure`` is called before each figure and may raise, ``on_failure`` gets a line about each
    that could not be drawn. RunError if the folder holds no run, OutputError if it cannot be
    written.
    """
    run = load_run(directory)
    summary = summarise(run)
    write_summary(directory, summary)
    drawn = draw_all(run, directory, on_figure, on_failure)
    path = directory / REPORT_FILE
    with writing(path):
        write_whole(path, _page(run, summary, drawn).encode())
    return path


def draw_all(
    run: Run,
    directory: Path,
    on_figure: Callable[[], None] = lambda: None,
    on_failure: Callable[[str], None] = lambda _: None,
) -> dict[str, Path]:
    """Draw the figures of a run into a folder; their files, by the names of the figures."""
    drawn, steps = {}, summarise(run).steps
    for name in FIGURES:
        on_figure()
        path = directory / f"{name}.png"
        try:
            _draw(name, run, steps, path)
        except Exception as error:  # of the disk, of fonts, of a matplotlib that does not load
            on_failure(f"{path}: cannot be drawn: {error_line(error)}")
        else:
            drawn[name] = path
    return drawn


def _draw(name: str, run: Run, steps: Sequence[StepSummary], path: Path) -> None:
    from . import style  # here, so that a matplotlib that cannot be imported costs only the figures

    figure = importlib.import_module(f"zonesim.report.{name}")
    with style.page(run, FIGURES[name], path) as axes:
        if any(step.ticks for step in steps):
            figure.draw(axes, run, steps)
        else:
            style.say_empty(axes)


def _page(run: Run, summary: Summary, drawn: Mapping[str, Path]) -> str:
    title = f"zonesim: {summary.scenario}"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>",
            _verdict(summary),
            _packing(summary),
            f'<p class="origin">{escape(_origin(run))}</p>',
            _section("Limits", _limits(run, summary)),
            _section("Steps", _step_table(_COLUMNS, summary.steps)),
            _section("Figures", "\n".join(_figures(drawn))),
            _section("Times, ms", _time_table(summary.steps)),
            _section("Work", _step_table(_CALLS, summary.steps)),
            _section("Events", _events(run)),
            _section("Machine", _pairs(summary.machine)),
            _section("Versions", _pairs(summary.versions)),
            _section("Scenario", f"<pre>{escape(run.info.scenario_text)}</pre>"),
            "</body>\n</html>\n",
        ]
    )


def _verdict(summary: Summary) -> str:
    if summary.verdict is None:
        return ""
    held = all(step.zones <= (summary.holds or 0) for step in summary.steps)
    return f'<p class="verdict {"ok" if held else "broken"}">{escape(summary.verdict)}.</p>'


def _packing(summary: Summary) -> str:
    return "" if summary.packing is None else f"<p>{escape(summary.packing.text)}.</p>"


def _origin(run: Run) -> str:
    info = run.info
    periods = sorted({f"{step.info.period_ms:g} ms" for step in run.steps})
    paces = sorted({step.info.pace for step in run.steps})
    parts = [
        f"started {info.started_utc}",
        f"seed {info.seed}",
        f"period {', '.join(periods) or 'none'}",
        f"pace {', '.join(paces) or 'none'}",
        f"world hash {info.world_hash or 'none: the run did not finish'}",
    ]
    return " · ".join(parts)


def _limits(run: Run, summary: Summary) -> str:
    kept = ", ".join(f"{name} {limit:g}" for name, limit in run.info.limits.items())
    broken = [] if summary.failure is None else [f"The run failed: {summary.failure}."]
    broken += summary.limits.broken
    if broken:
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in broken)
        return f'<ul class="broken">{items}</ul>'
    return (
        f'<p class="ok">All kept: {escape(kept)}.</p>'
        if kept
        else "<p>The scenario sets no limits.</p>"
    )


def _step_table(
    columns: Sequence[tuple[str, str, Callable[[StepSummary], str]]], steps: Sequence[StepSummary]
) -> str:
    heads = [_head(name, unit) for name, unit, _ in columns]
    return _table(heads, ([figure(step) for _, _, figure in columns] for step in steps))


def _time_table(steps: Sequence[StepSummary]) -> str:
    names = Distribution.__struct_fields__
    heads = [_head("time", ""), _head("zones", ""), *(_head(name, "") for name in names)]
    rows = (
        [kind, str(step.zones), *(f"{getattr(of(step), name):,.2f}" for name in names)]
        for kind, of in _TIMES
        for step in steps
    )
    return _table(heads, rows)


def _events(run: Run) -> str:
    if not run.events:
        return "<p>None.</p>"
    starts_ns = [row.scheduled_ns for step in run.steps for row in step.rows]
    start_ns = min(starts_ns, default=run.events[0].at_ns)
    rows = (
        [
            f"{(event.at_ns - start_ns) / 1e9:.3f}",
            str(event.step),
            event.kind,
            process_text([] if event.zone is None else [event.zone], event.worker, event.pid),
            event.detail,
        ]
        for event in run.events
    )
    heads = [
        _head("time", "s since the first tick was due"),
        *(_head(name, "") for name in ("step", "event", "process", "detail")),
    ]
    return _table(heads, rows, kind="text")


def _figures(drawn: Mapping[str, Path]) -> Iterable[str]:
    for name, title in FIGURES.items():
        if name in drawn:
            image = base64.b64encode(drawn[name].read_bytes()).decode()
            yield f'<img alt="{escape(title)}" src="data:image/png;base64,{image}">'
        else:
            yield f"<p>{escape(title)}: could not be drawn.</p>"


def _pairs(values: Mapping[str, str | int]) -> str:
    rows = (
        [name.replace("_mb", " (MB)").replace("_", " "), str(value)]
        for name, value in values.items()
    )
    return _table([], rows, kind="text")


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}"


def _head(name: str, unit: str) -> str:
    small = f"<small>{escape(unit)}</small>" if unit else ""
    return f'<th scope="col">{escape(name)}{small}</th>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "figures") -> str:
    head = f"<thead><tr>{''.join(heads)}</tr></thead>" if heads else ""
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>" for cells in rows
    )
    return (
        f'<div class="scroll"><table class="{kind}">{head}\n<tbody>\n{body}\n</tbody></table></div>'
    )
