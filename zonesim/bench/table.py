"""Reports and comparisons as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .compare import Change, Changes
from .noise import noise_text
from .program import CHAINS, COROUTINES
from .rows import Row
from .suite import Report

MOST_ROWS = 32  # those of `peers`; with titles and verdicts, the table has at most 34 lines
TITLES = (
    f"a tick: {COROUTINES:,} coroutines, {CHAINS} of them AsyncTasks",
    ">ours",
    ">theirs",
    ">ratio",
    "95 % interval",
    "goal",
    "",
)


def summary(report: Report) -> Iterator[str]:
    """The table that a command prints: titles, at most MOST_ROWS lines, verdicts."""
    rows = [row for row in report.rows if not row.detail]
    shown = rows if len(rows) <= MOST_ROWS else rows[: MOST_ROWS - 1]
    yield from _aligned([TITLES, *map(_cells, shown)])
    if len(rows) > len(shown):
        yield f"... and {len(rows) - len(shown)} more rows: see --verbose"
    yield _verdicts(report)


def details(report: Report) -> Iterator[str]:
    """How the rows were measured, all rows by group, and the notes."""
    machine = report.machine
    yield f"zonesim bench {report.bench}: {machine['python']}; {machine['system']}"
    yield (
        f"{machine['cpus_usable']} CPUs ({machine['cpu']}), load {report.load[0]:.2f} before the "
        f"first round; {report.options.workers} workers"
    )
    yield "the garbage collector is on, and runs before each timed block, unless a note differs"
    yield "figures are medians of rounds, in launches of new processes; another run would find the"
    yield "ratio, or our figure if there is no ratio, within the interval 95 times in 100"
    for group in dict.fromkeys(row.group for row in report.rows):
        yield ""
        amount = report.amounts.get(group)
        yield group + (f" ({amount.launches} launches of {amount.rounds} rounds)" if amount else "")
        rows = [row for row in report.rows if row.group == group]
        yield from _aligned([(*_cells(row), row.note) for row in rows])
    if report.notes:
        yield ""
        yield from report.notes


def changes_text(changes: Changes) -> Iterator[str]:
    """One line for each row of two reports."""
    yield f"zonesim bench {changes.bench}: old, new, new / old"
    yield from _aligned([_change_cells(change) for change in changes.rows])
    yield from changes.notes
    yield _counted([change.verdict for change in changes.rows])


def figure_text(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f}"


def ratio_text(value: float) -> str:
    """A ratio; a small one as a fraction."""
    return f"1/{1 / value:,.0f}" if 0 < value < 0.1 else figure_text(value)


def _verdicts(report: Report) -> str:
    """How many goals hold, and what makes that doubtful, in one line."""
    verdicts = [row.verdict for row in report.rows if row.verdict]
    parts = [f"goals: {_counted(verdicts)}" if verdicts else "no goals"]
    if noise := noise_text(report.looks):
        parts.append(noise)
    if not report.complete:
        parts.append("the run was interrupted")
    return "; ".join(parts)


def _counted(words: Sequence[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).items())


def _cells(row: Row) -> tuple[str, ...]:
    has_ratio = row.theirs is not None
    made = row.figure_unit != row.unit or row.figure != row.ours  # from both sides
    figure = row.figure if made else row.ours / row.theirs if row.theirs else 0.0
    unit = "" if row.figure_unit in ("x", row.unit) else f" {row.figure_unit}"
    bound_text = ratio_text if row.figure_unit == "x" else figure_text
    return (
        f"{row.name}, over {row.against}" if row.against else row.name,
        f">{figure_text(row.ours)} {row.unit}",
        f">{figure_text(row.theirs or 0.0)} {row.unit}" if has_ratio else "",
        f">{ratio_text(figure)}{unit}" if has_ratio else "",
        _interval_text(row),
        f"{row.goal.kind} {bound_text(row.goal.bound)}" if row.goal else "",
        row.verdict,
    )


def _interval_text(row: Row) -> str:
    if row.interval is None:
        return ""
    low, high = row.interval
    return f"{figure_text(low)} to {figure_text(high)}"


def _change_cells(change: Change) -> list[str]:
    before = "" if change.before is None else f">{figure_text(change.before)} {change.figure_unit}"
    after = "" if change.after is None else f">{figure_text(change.after)} {change.figure_unit}"
    ratio = "" if change.ratio is None else f">{change.ratio:.2f}"
    name = f"{change.name}, over {change.against}" if change.against else change.name
    return [change.group, name, before, after, ratio, change.verdict]


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell; a cell that begins with > is right-aligned."""
    widths = [max(len(cell.lstrip(">")) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell[1:].rjust(width) if cell.startswith(">") else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
            if width
        )
        yield "  ".join(cells).rstrip()
