"""A run on disk: the tables of ``run.sqlite``, how to read them, and ``summary.json``."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from zonesim.results.recovery import RUN_FAILED, recovery_of
from zonesim.results.recovery import Event as Event
from zonesim.results.statistics import (
    LimitsResult,
    StepSummary,
    carried_between,
    check_limits,
    summarise_step,
)
from zonesim.results.step_info import StepInfo
from zonesim.results.verdict import Verdict, verdict_of
from zonesim.system.text import write_whole
from zonesim.wire.messages import TickRow

FORMAT = 1
RUN_FILE = "run.sqlite"


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


class StepData(msgspec.Struct, frozen=True):
    """One step as it was measured."""

    info: StepInfo
    pss_mb_per_zone: float | None
    workers: list[WorkerRow]
    rows: list[TickRow]


class Packing(msgspec.Struct, frozen=True):
    """How ``zones_per_process = "auto"`` has put zones into processes."""

    processes: int  # at most; zones are dealt to them in turn
    carries: int  # zones, with a process each, as estimated before the run
    carries_packed: int  # with a process for each CPU
    text: str  # the choice and its reason in one line


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's figures come from."""

    format: int = FORMAT
    scenario: str
    seed: int
    scenario_text: str  # TOML or JSON
    machine: dict[str, str | int]
    versions: dict[str, str]
    started_utc: str
    world_hash: str = ""  # until the run has finished
    limits: dict[str, float]
    packing: Packing | None = None


class Run(msgspec.Struct, frozen=True):
    """Everything that a run saved."""

    info: RunInfo
    steps: list[StepData]
    events: list[Event]


class Summary(msgspec.Struct, frozen=True):
    """The content of ``summary.json``, and of ``--json``."""

    format: int
    verdict: str | None  # in one line; None where nothing can be judged
    holds: int | None  # zones, of the largest step up to which all keep the limits
    packing: Packing | None  # None where the scenario says how many zones share a process
    scenario: str
    seed: int
    world_hash: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    steps: list[StepSummary]
    events: list[Event]
    limits: LimitsResult
    failure: str | None = None  # why the run ended early


_TICK_FIELDS = TickRow.__struct_fields__
_JSON_FIELDS = ("machine", "versions", "limits", "packing")
_LATE, _HASH = _TICK_FIELDS.index("late"), _TICK_FIELDS.index("world_hash")

# Columns are the fields of the structs above: the two cannot drift apart.
SCHEMA = f"""
CREATE TABLE runs ({", ".join(RunInfo.__struct_fields__)});
CREATE TABLE steps ({", ".join(StepInfo.__struct_fields__)}, pss_mb_per_zone, PRIMARY KEY (step));
CREATE TABLE ticks (step, {", ".join(_TICK_FIELDS)});
CREATE TABLE workers ({", ".join(WorkerRow.__struct_fields__)});
CREATE TABLE events ({", ".join(Event.__struct_fields__)});
"""


def new_run_directory(base: Path, scenario: str, now_utc: datetime) -> Path:
    """Name a folder below ``base`` that does not exist yet."""
    name = f"{now_utc:%Y%m%dT%H%M%SZ}-{scenario}"
    path, number = base / name, 1
    while os.path.exists(path):
        number += 1
        path = base / f"{name}-{number}"
    return path


def insertion(table: str, row: Sequence[object]) -> str:
    """Return the statement that adds rows like this one to a table."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})"


def run_folder_of(path: Path) -> Path:
    """The folder of the run to which a file belongs; any other path as it is."""
    is_of_run = os.path.isfile(path) and os.path.isfile(path.parent / RUN_FILE)
    return path.parent if is_of_run else path


def load_run(directory: Path) -> Run:
    """Read a saved run; RunError if the folder holds none."""
    path = directory / RUN_FILE
    if not os.path.isfile(path):  # unlike Path.is_file, False where the folder may not be read
        raise RunError(f"{directory}: expected the folder of a run, found no {RUN_FILE} in it")
    try:
        return _read(path)
    except sqlite3.OperationalError as error:
        in_use = "locked" in str(error)
        remedy = "; try again when the process that uses it has ended" if in_use else ""
        raise RunError(f"{path}: cannot be read: {error}{remedy}") from error
    except sqlite3.DatabaseError as error:
        raise RunError(
            f"{path}: expected the figures of a run, found: {error}; run the scenario again"
        ) from error
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: expected the figures of a run in format {FORMAT}, found: {error}; "
            "read it with the zonesim that wrote it, or run the scenario again"
        ) from error


def _read(path: Path) -> Run:
    # For writing too: only a writer can roll back the write in which another was killed.
    address = f"{path.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True)) as database:
        tables = database.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchall()
        if not any(sql.startswith("CREATE TABLE runs ") for (sql,) in tables):
            raise sqlite3.DatabaseError("no table of runs")
        if [f"{sql};" for (sql,) in tables] != SCHEMA.split("\n")[1:-1]:
            raise ValueError("tables with other columns")
        events = database.execute("SELECT * FROM events ORDER BY at_ns")
        return Run(_read_info(database), _read_steps(database), [Event(*row) for row in events])


def _read_info(database: sqlite3.Connection) -> RunInfo:
    found = database.execute("SELECT * FROM runs").fetchone()
    if found is None:
        raise sqlite3.DatabaseError("no run in its table")
    if found[0] != FORMAT:
        raise ValueError(f"format {found[0]}")
    info = dict(zip(RunInfo.__struct_fields__, found, strict=True))
    for name in _JSON_FIELDS:
        info[name] = msgspec.json.decode(info[name])
    return msgspec.convert(info, RunInfo)


def _read_steps(database: sqlite3.Connection) -> list[StepData]:
    steps = database.execute("SELECT * FROM steps ORDER BY step").fetchall()
    return [_read_step(database, StepInfo(*info), pss_mb) for *info, pss_mb in steps]


def _read_step(database: sqlite3.Connection, info: StepInfo, pss_mb: float | None) -> StepData:
    workers = database.execute("SELECT * FROM workers WHERE step = ?", (info.step,))
    ticks = database.execute("SELECT * FROM ticks WHERE step = ? ORDER BY rowid", (info.step,))
    return StepData(info, pss_mb, [WorkerRow(*row) for row in workers], list(map(_tick_row, ticks)))


def run_columns(info: RunInfo) -> Sequence[object]:
    """Return the row of a run."""
    columns = msgspec.structs.asdict(info)
    return [
        msgspec.json.encode(value).decode() if name in _JSON_FIELDS else value
        for name, value in columns.items()
    ]


def tick_columns(step: int, row: TickRow) -> Sequence[object]:
    """Return a tick as a row of its table."""
    values = list(msgspec.structs.astuple(row))
    values[_HASH] = f"{row.world_hash:016x}"  # as text: sqlite's integers are signed
    return step, *values


def _tick_row(columns: Sequence[Any]) -> TickRow:
    values = list(columns[1:])
    values[_LATE] = bool(values[_LATE])
    values[_HASH] = int(values[_HASH], 16)
    return TickRow(*values)


def summarise(run: Run) -> Summary:
    """Compute ``summary.json`` from what the run saved."""
    steps = _summarise_steps(run.steps)
    recovery = recovery_of((row for step in run.steps for row in step.rows), run.events)
    verdict = _judge(run, steps)
    return Summary(
        format=run.info.format,
        verdict=verdict.text,
        holds=verdict.holds,
        packing=run.info.packing,
        scenario=run.info.scenario,
        seed=run.info.seed,
        world_hash=run.info.world_hash,
        machine=run.info.machine,
        versions=run.info.versions,
        steps=steps,
        events=run.events,
        limits=check_limits(steps, run.info.limits, recovery),
        failure=next((e.detail for e in run.events if e.kind == RUN_FAILED), None),
    )


def _judge(run: Run, steps: Sequence[StepSummary]) -> Verdict:
    if any(step.info.pace == "max" for step in run.steps):
        return Verdict()  # nothing is due
    memory_mb = float(run.info.machine.get("memory_mb", 0))
    return verdict_of(steps, run.info.limits, run.events, memory_mb)


def write_summary(directory: Path, summary: Summary) -> None:
    """Write ``summary.json``, indented; OutputError where that fails."""
    path = directory / "summary.json"
    with writing(path):
        write_whole(path, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def _summarise_steps(steps: Sequence[StepData]) -> list[StepSummary]:
    before: dict[int, TickRow] = {}  # by zone, its last row so far
    until: Counter[int] = Counter()  # by zone, the tick that it stops before
    summaries = []
    for step in steps:
        until.update(dict.fromkeys(range(step.info.zones), step.info.ticks))
        summaries.append(
            summarise_step(
                step.rows,
                step.info,
                worker_busy_ns=sum(worker.busy_ns for worker in step.workers),
                pss_mb_per_zone=step.pss_mb_per_zone,
                carried_in=carried_between(before, step.rows),
                until=until,
            )
        )
        before.update((row.zone, row) for row in step.rows)
    return summaries


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the errors of a disk into OutputError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be written: {reason}") from error
