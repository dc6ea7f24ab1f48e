"""Saves the figures of a run: a bounded queue, and the thread that writes ``run.sqlite``."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self, TypeAlias

import msgspec

from zonesim.results.recovery import UNWRITABLE
from zonesim.results.saved_run import (
    RUN_FILE,
    SCHEMA,
    Event,
    OutputError,
    Run,
    RunError,
    RunInfo,
    Summary,
    WorkerRow,
    insertion,
    load_run,
    run_columns,
    summarise,
    tick_columns,
    write_summary,
    writing,
)
from zonesim.results.step_info import StepInfo
from zonesim.system.operating_system import CPU_SHARES_UNKNOWN, CpuShares
from zonesim.system.text import encodable
from zonesim.wire.messages import TickRow

QUEUED_ROWS_MAX = 1 << 17  # of about 1 KB each: some minutes of 100 zones
COMMIT_INTERVAL_S = 0.25  # what a killed controller loses
LOCKED_S = 30.0  # how long another process may lock the file before a write fails
PATIENCE_S = 30.0  # for the disk, at the end of a run
HURRIED_S = 3.0  # the same after Ctrl-C

# Figures survive a kill of the process, not a power cut. Rows are appended and never looked up: a
# larger page cache would only grow with the run.
_SETTINGS = "PRAGMA synchronous = OFF; PRAGMA cache_size = -256;"

_Rows: TypeAlias = Sequence[Sequence[object]]
_Write: TypeAlias = tuple[str, _Rows]  # a statement, and what it is executed with


class RunWriter:
    """Saves a run without making it wait for the disk; a context manager.

    When a write fails or the queue is full, the run continues and later rows are dropped. Raises
    OutputError when the run's file cannot be created.
    """

    def __init__(self, directory: Path, info: RunInfo) -> None:
        self.directory = directory
        self.failure: Event | None = None  # why the disk failed
        self.unsaved: str | None = None  # after ``finish``, what was not saved, in one line
        self._path = directory / RUN_FILE
        self._info = info
        self._step = 0
        self._changed = threading.Condition()
        self._queue: list[_Write] = []
        self._pending_rows = 0  # in the queue and in the write that is under way
        self._lost_rows = 0
        self._reason = ""  # of the failure
        self._slowness_s, self._slow_until_ns = 0.0, 0
        self._closing = threading.Event()
        with writing(self._path):
            directory.mkdir(parents=True, exist_ok=True)
            self._path.touch(exist_ok=False)  # a run is never overwritten
            self._database = _create(self._path, info)
        # A daemon: a stalled disk must not keep the process from exiting.
        self._thread = threading.Thread(target=self._write_all, name="run writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if not self._closing.is_set():  # the run failed, and reports that error
            self._close(lambda: True)

    def begin_step(self, info: StepInfo) -> None:
        """Open a step; its ticks, workers and events follow."""
        self._step = info.step
        self._insert("steps", [(*msgspec.structs.astuple(info), None)])

    def add_ticks(self, step: int, rows: Iterable[TickRow]) -> None:
        """Save ticks of a step."""
        self._insert("ticks", [tick_columns(step, row) for row in rows])

    def add_worker(self, worker: WorkerRow) -> None:
        """Save what one worker did in a step."""
        self._insert("workers", [msgspec.structs.astuple(worker)])

    def add_event(self, event: Event) -> None:
        """Save something that happened to a process."""
        self._insert("events", [msgspec.structs.astuple(event)])

    def end_step(
        self,
        step: int,
        duration_s: float,
        pss_mb_per_zone: float | None,
        end_ns: int = 0,
        workers: float | None = None,
        cores: CpuShares = CPU_SHARES_UNKNOWN,
    ) -> None:
        """Close a step; ``workers`` is their mean number over time, if it changed."""
        self._put(
            "UPDATE steps SET duration_s = ?, pss_mb_per_zone = ?, end_ns = ?, "
            "workers = coalesce(?, workers), cores_left = ?, cores_stolen = ? WHERE step = ?",
            [(duration_s, pss_mb_per_zone, end_ns, workers, *cores, step)],
        )

    def slow_down(self, delay_s: float, until_ns: int) -> None:
        """Make each write take longer, until a moment of the monotonic clock."""
        self._slowness_s, self._slow_until_ns = delay_s, until_ns

    def finish(self, world_hash: str, is_hurried: Callable[[], bool] = lambda: False) -> Summary:
        """Write what is queued and ``summary.json``; return the summary of what was saved.

        Waits a bounded time for the disk, and less once ``is_hurried``.
        """
        self._put("UPDATE runs SET world_hash = ?", [(world_hash,)])
        run = Run(self._info, [], [])
        if self._close(is_hurried):
            with suppress(RunError):
                run = load_run(self.directory)
        events = run.events if self.failure is None else [*run.events, self.failure]
        info = msgspec.structs.replace(run.info, world_hash=world_hash)
        summary = summarise(msgspec.structs.replace(run, info=info, events=events))
        if self.failure is not None:
            self.unsaved = encodable(
                f"{self._path}: {self._lost_rows + self._pending_rows} rows of figures are not "
                f"saved: {self._reason}; run it again, with --out in another folder"
            )
        if not self._thread.is_alive():  # or this write would stall as well
            try:
                write_summary(self.directory, summary)
            except OutputError as error:
                self.unsaved = self.unsaved or encodable(str(error))
        return summary

    def _close(self, is_hurried: Callable[[], bool]) -> bool:
        """Wait until all is written and the file is closed; False if that takes too long."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        began_s = time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.1)
            waited_s = time.monotonic() - began_s
            if waited_s > (HURRIED_S if is_hurried() else PATIENCE_S):
                self._fail(f"the disk took no figures for {waited_s:.0f} s at the end of the run")
                return False
        return True

    def _insert(self, table: str, rows: _Rows) -> None:
        if rows:
            self._put(insertion(table, rows[0]), rows)

    def _put(self, statement: str, rows: _Rows) -> None:
        with self._changed:
            if self._pending_rows + len(rows) > QUEUED_ROWS_MAX:
                self._fail("the disk is slower than the run, and the queue of the writer is full")
            if self.failure is not None:
                self._lost_rows += len(rows)
                return
            self._queue.append((statement, rows))
            self._pending_rows += len(rows)
            if len(self._queue) == 1:
                self._changed.notify()

    def _fail(self, reason: str) -> None:
        """Keep the first reason as an event; nothing is queued from now on."""
        if self.failure is None:
            text = f"{self._path}: figures of the run cannot be written and are dropped: {reason}"
            self._reason = reason
            self.failure = Event(self._step, time.monotonic_ns(), UNWRITABLE, encodable(text))

    # -- in the thread

    def _write_all(self) -> None:
        with closing(self._database):
            while writes := self._wait_for_writes():
                try:
                    self._write(writes)
                except sqlite3.Error as error:
                    self._drop_all(error)
                else:
                    with self._changed:
                        self._pending_rows -= sum(len(rows) for _, rows in writes)

    def _wait_for_writes(self) -> list[_Write]:
        """Take all that is queued; nothing when the run has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing.is_set())
            # Few large transactions cost less than many small ones.
            self._changed.wait_for(self._closing.is_set, COMMIT_INTERVAL_S)
            writes, self._queue = self._queue, []
            return writes

    def _write(self, writes: Sequence[_Write]) -> None:
        if time.monotonic_ns() < self._slow_until_ns:
            self._closing.wait(self._slowness_s)
        with self._database:
            for statement, rows in writes:
                self._database.executemany(statement, rows)

    def _drop_all(self, error: sqlite3.Error) -> None:
        with self._changed:
            self._fail(str(error) if self._path.exists() else "the file is gone")
            self._lost_rows += self._pending_rows
            self._pending_rows = 0
            self._queue.clear()


def _create(path: Path, info: RunInfo) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=LOCKED_S, check_same_thread=False)
    with database:
        database.executescript(_SETTINGS + SCHEMA)
        columns = run_columns(info)
        database.execute(insertion("runs", columns), columns)
    return database
