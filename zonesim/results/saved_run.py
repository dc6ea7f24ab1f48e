"""A run on disk: the tables of ``run.sqlite``, how they are read, and ``summary.json``.

Knows what stands in them, and neither how figures come to be there nor what they mean.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from zonesim.results.deaths import deaths_of, failure_of, unhealthy_of
from zonesim.results.recovery import recovery_of
from zonesim.results.statistics import LimitsResult, carried_between, check_limits, summarise_step
from zonesim.results.statistics import StepInfo as StepInfo
from zonesim.results.statistics import StepSummary as StepSummary
from zonesim.system.whole_file import write_whole
from zonesim.wire.ticks import TickRow

FORMAT = 2
RUN_FILE = "run.sqlite"
SUMMARY_FILE = "summary.json"


class OutputError(OSError):
    """A run's figures could not be written; the message is one line."""


class RunError(ValueError):
    """A folder holds no run that can be read; the message is one line."""


class WorkerRow(msgspec.Struct, frozen=True):
    """What one worker did in one step."""

    step: int
    worker: int  # its place in the pool, counted from 1
    pid: int
    calls: int
    batches: int
    busy_ns: int
    restarts: int


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a process: a start, a death, a restart."""

    step: int
    at_ns: int  # on the monotonic clock that the ticks are on
    kind: str
    detail: str
    zone: int | None = None
    worker: int | None = None  # its place in the pool, counted from 1
    pid: int | None = None


class StepData(msgspec.Struct, frozen=True):
    """One step as it was measured."""

    info: StepInfo
    pss_mb_per_zone: float | None
    workers: list[WorkerRow]
    rows: list[TickRow]


class RunInfo(msgspec.Struct, frozen=True):
    """Where a run's figures come from."""

    format: int
    scenario: str
    seed: int
    scenario_text: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    started_utc: str
    world_hash: str  # empty until the run has finished
    limits: dict[str, float]


class Run(msgspec.Struct, frozen=True):
    """All that a run saved."""

    info: RunInfo
    steps: list[StepData]
    events: list[Event]


class Summary(msgspec.Struct, frozen=True):
    """The content of ``summary.json``, and of ``--json``."""

    format: int
    scenario: str
    seed: int
    world_hash: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    steps: list[StepSummary]
    events: list[Event]
    limits: LimitsResult
    failure: str | None = None  # why it could not go on to its end


_RUN_FIELDS = RunInfo.__struct_fields__
_STEP_FIELDS = (*StepInfo.__struct_fields__, "pss_mb_per_zone")
_TICK_FIELDS = TickRow.__struct_fields__
_LATE, _HASH = _TICK_FIELDS.index("late"), _TICK_FIELDS.index("world_hash")

# Columns are the fields of the structs above, so that the two cannot drift apart.
SCHEMA = f"""
CREATE TABLE runs ({", ".join(_RUN_FIELDS)});
CREATE TABLE steps ({", ".join(_STEP_FIELDS)}, PRIMARY KEY (step));
CREATE TABLE ticks (step, {", ".join(_TICK_FIELDS)});
CREATE TABLE workers ({", ".join(WorkerRow.__struct_fields__)});
CREATE TABLE events ({", ".join(Event.__struct_fields__)});
"""


def new_run_directory(base: Path, scenario: str, now_utc: datetime) -> Path:
    """Name a folder below `base` that nobody has taken yet; it is not made."""
    name = f"{now_utc:%Y%m%dT%H%M%SZ}-{scenario}"
    path, number = base / name, 1
    while path.exists():
        number += 1
        path = base / f"{name}-{number}"
    return path


def load_run(directory: Path) -> Run:
    """Read back what a run saved; RunError where the folder holds none."""
    path = directory / RUN_FILE
    if not path.is_file():
        raise RunError(f"{directory}: a run's folder holds {RUN_FILE}, this one does not")
    try:
        return _read(path, "ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise _no_run(path, error) from error
    except (sqlite3.Error, msgspec.MsgspecError, TypeError, ValueError) as error:
        raise _no_run(path, error) from error
    # Whoever wrote it ended in the middle of a write: that is taken back, by whoever may.
    try:
        return _read(path, "rw")
    except (sqlite3.Error, msgspec.MsgspecError, TypeError, ValueError) as error:
        raise _no_run(path, error) from error


def _read(path: Path, mode: str) -> Run:
    address = f"{path.resolve().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True)) as database:
        return read_run(database)


def _no_run(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path}: expected the figures of a run in format {FORMAT}, found: {error}; "
        "read it with the zonesim that wrote it, or run the scenario again"
    )


def summarise(run: Run) -> Summary:
    """Compute ``summary.json`` from what the run saved."""
    steps = _summarise_steps(run.steps)
    recovery = recovery_of(
        (row for step in run.steps for row in step.rows),
        deaths_of(run.events),
        len(unhealthy_of(run.events)),
    )
    return Summary(
        format=run.info.format,
        scenario=run.info.scenario,
        seed=run.info.seed,
        world_hash=run.info.world_hash,
        machine=run.info.machine,
        versions=run.info.versions,
        steps=steps,
        events=run.events,
        limits=check_limits(steps, run.info.limits, recovery),
        failure=failure_of(run.events),
    )


def write_summary(directory: Path, summary: Summary) -> None:
    """Write ``summary.json``, indented; OutputError where that fails."""
    path = directory / SUMMARY_FILE
    with writing(path):
        write_whole(path, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def _summarise_steps(steps: Sequence[StepData]) -> list[StepSummary]:
    before: dict[int, TickRow] = {}  # by zone, its last row in any step so far
    until: Counter[int] = Counter()  # by zone, the first tick that it runs no more
    summaries = []
    for step in steps:
        until.update(dict.fromkeys(range(step.info.zones), step.info.ticks))
        summaries.append(
            summarise_step(
                step.rows,
                step.info,
                worker_busy_ns=sum(worker.busy_ns for worker in step.workers),
                pss_mb_per_zone=step.pss_mb_per_zone,
                carried_in=carried_between(list(before.values()), step.rows),
                until=until,
            )
        )
        before.update((row.zone, row) for row in step.rows)
    return summaries


def read_run(database: sqlite3.Connection) -> Run:
    """All that stands in the tables of a run; ValueError where they are of another format."""
    found = database.execute("SELECT * FROM runs").fetchone()
    if found is None or found[0] != FORMAT:
        raise ValueError(f"format {found and found[0]}")
    info = dict(zip(_RUN_FIELDS, found, strict=True))
    for name in ("machine", "versions", "limits"):
        info[name] = msgspec.json.decode(info[name])
    return Run(
        info=msgspec.convert(info, RunInfo),
        steps=_read_steps(database),
        events=read_events(database),
    )


def read_events(database: sqlite3.Connection) -> list[Event]:
    """What has happened, in order."""
    found = database.execute("SELECT * FROM events ORDER BY at_ns").fetchall()
    return [Event(*event) for event in found]


def _read_steps(database: sqlite3.Connection) -> list[StepData]:
    found = database.execute("SELECT * FROM steps ORDER BY step")
    names = [column[0] for column in found.description]  # fewer in files of older versions
    return [_read_step(database, dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _read_step(database: sqlite3.Connection, columns: dict[str, Any]) -> StepData:
    pss_mb_per_zone = columns.pop("pss_mb_per_zone")
    info = StepInfo(**columns)
    workers = database.execute("SELECT * FROM workers WHERE step = ?", (info.step,))
    ticks = database.execute("SELECT * FROM ticks WHERE step = ? ORDER BY rowid", (info.step,))
    return StepData(
        info=info,
        pss_mb_per_zone=pss_mb_per_zone,
        workers=[WorkerRow(*row) for row in workers],
        rows=[_from_columns(row) for row in ticks],
    )


def to_columns(step: int, row: TickRow) -> Sequence[object]:
    """A tick as a row of its table."""
    values = list(msgspec.structs.astuple(row))
    values[_HASH] = f"{row.world_hash:016x}"  # as text: sqlite's integers are signed
    return step, *values


def _from_columns(columns: Sequence[Any]) -> TickRow:
    values = list(columns[1:])
    values[_LATE] = bool(values[_LATE])
    values[_HASH] = int(values[_HASH], 16)
    return TickRow(*values)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the errors of a disk into OutputError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{path}: figures of a run must be written, got: {reason}; "
            "make room there or give another folder"
        ) from error
