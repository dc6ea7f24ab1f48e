"""Rows, conditions and changes as text. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import noise
from .compare import Change, Changes
from .figures import Row
from .suite import GOALS, Measured, Report


def head(report: Report) -> Iterator[str]:
    """How the rows are measured."""
    machine = report.machine
    yield f"zonesim bench {report.bench}: {machine['python']}; {machine['system']}"
    yield (
        f"{machine['cpus_usable']} CPUs ({machine['cpu']}), load {report.load[0]:.2f} before the "
        f"first round; {report.options.workers} workers"
    )
    if report.options.cpus is not None:
        held = ", ".join(str(cpu) for cpu in report.options.cpus)
        yield f"this program and all that it starts are held to CPU {held}"
    yield f"garbage collector {report.collector}, unless a row or its group says otherwise"
    yield "figures are medians of rounds, in launches of new processes; [a, b] is where another run"
    yield "would find the figure, 95 times in 100: of a single one that is not known"
    yield from report.notes


def section(measured: Measured, report: Report) -> Iterator[str]:
    """The rows of one group."""
    yield ""
    amount = report.amounts.get(measured.group)
    yield measured.group + (
        f" ({amount.launches} launches of {amount.rounds} rounds)" if amount else ""
    )
    yield from _aligned([_cells(row) for row in measured.rows])
    yield from (f"  {note}" for note in measured.notes)


def foot(report: Report) -> Iterator[str]:
    """What else the machine did, and how many goals hold."""
    yield ""
    yield from noise.told(report.looks)
    verdicts = [row.verdict for row in _judged(report)]
    if verdicts:
        counted = (
            f"{verdicts.count(word)} {word}"
            for word in ("pass", "falls short", "unclear")
            if word in verdicts
        )
        yield f"goals: {', '.join(counted)}"


def _judged(report: Report) -> list[Row]:
    """The rows with a verdict; where a table of goals speaks for them, it alone."""
    judged = [row for row in report.rows if row.verdict]
    return [row for row in judged if row.group == GOALS] or judged


def changes_text(changes: Changes) -> Iterator[str]:
    """One line for each row of two reports."""
    yield f"zonesim bench {changes.bench}: what became of each row"
    yield from _aligned([_change_cells(change) for change in changes.rows])
    yield from changes.notes
    verdicts = [change.verdict for change in changes.rows]
    yield ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))


def figure_text(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f}"


def _cells(row: Row) -> list[str]:
    against = f"{row.against}: {figure_text(row.theirs)}" if row.theirs is not None else row.against
    made = row.figure_unit != row.unit or row.figure != row.ours  # of both sides
    return [
        row.name,
        f">{figure_text(row.ours)} {row.unit}",
        against,
        f">{figure_text(row.figure)} {row.figure_unit}" if made else "",
        _interval_text(row),
        f"{row.goal.kind} {row.goal.bound:g}: {row.verdict}" if row.goal else "",
        row.note,
    ]


def _interval_text(row: Row) -> str:
    if row.interval is None:
        return ""
    low, high = row.interval
    return f"[{figure_text(low)}, {figure_text(high)}]"


def _change_cells(change: Change) -> list[str]:
    before = "" if change.before is None else f">{figure_text(change.before)} {change.figure_unit}"
    after = "" if change.after is None else f">{figure_text(change.after)} {change.figure_unit}"
    ratio = "" if change.ratio is None else f">{change.ratio:.2f}x"
    return [change.group, change.name, change.against, before, after, ratio, change.verdict]


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell; a cell that begins with > stands to the right."""
    widths = [max(len(cell.lstrip(">")) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell[1:].rjust(width) if cell.startswith(">") else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
            if width
        )
        yield f"  {'  '.join(cells)}".rstrip()
