"""The pen of a run: takes its figures as they come, and sums them up in the end.

Knows tables and the thread that writes them, not what the figures mean.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import msgspec

from zonesim.results.run_file import RunFile, insertion
from zonesim.results.run_queue import RunQueue
from zonesim.results.saved_run import (
    FORMAT,
    RUN_FILE,
    SCHEMA,
    Event,
    OutputError,
    Summary,
    read_events,
    read_run,
    summarise,
    to_columns,
    write_summary,
    writing,
)
from zonesim.results.step_info import StepInfo
from zonesim.system.text import encodable
from zonesim.wire.ticks import TickRow

# Two seconds of 100 zones. A killed controller loses no more, and what a slow disk has not taken.
_ROWS_PER_TRANSACTION = 512
STALLED_S = 5.0  # at one write, until somebody hears of it
PATIENCE_S = 30.0  # at the end, for each thing that the disk has to do yet
HURRY_S = 3.0  # for all of it together, for whoever has asked for the end once more
_LOOK_S = 0.1

TOO_SLOW = "the disk takes the figures of the run more slowly than they come"
AND_FULL = "the memory for them is full, and ticks from here on are not counted"
AND_LOST = "those that waited for it are not saved"

OnUnwritable = Callable[[str], None]


class RunWriter:
    """The pen that a run's figures are written with; a context manager, of one thread.

    Raises OutputError where the run's file cannot be made. From then on a thread writes, and nobody
    waits for the disk until the end. One that refuses ends no run: figures are kept in memory, as
    RunFile says; where it stalls, as RunQueue does. ``on_unwritable`` gets a line about each, once
    until all is written, and an event says so, both out of ``tell_news``. At the end, ``saved``
    tells whether the disk has taken all the same.
    """

    def __init__(
        self,
        directory: Path,
        *,
        scenario: str,
        seed: int,
        scenario_toml_or_json: str,
        limits: Mapping[str, float],
        machine: Mapping[str, str | int],
        versions: Mapping[str, str],
        on_unwritable: OnUnwritable = lambda line: None,
    ) -> None:
        self.directory = directory
        self.saved = False
        self._path = directory / RUN_FILE
        self._hurried_s: float | None = None  # since when the end is to come soon
        self._on_unwritable = on_unwritable
        self._news: deque[str] = deque()  # from the thread that writes
        self._ticks: list[Sequence[object]] = []
        self._is_full = False
        self._told_of_stall = False
        self._gave_up = False
        self._step = 0
        origin = (FORMAT, scenario, seed, scenario_toml_or_json, _json(machine), _json(versions))
        started_utc = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with writing(self._path):
            directory.mkdir(parents=True, exist_ok=True)
            self._path.touch(exist_ok=False)  # a run is never written over
            self._file = RunFile(self._path, SCHEMA, self._news.append)
            self._file.begin("runs", (*origin, started_utc, "", _json(limits)))
        self._queue = RunQueue(self._file)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._gave_up:  # else it has been told
                self._end(lambda: error is not None)
        except OutputError as lost:
            if error is None:  # else the first error says more than the one that followed it
                raise
            self._on_unwritable(str(lost))
        finally:
            self._queue.close(0 if self._gave_up else HURRY_S)

    def begin_step(self, info: StepInfo) -> None:
        """Open a step; its ticks, workers and events follow."""
        self._step = info.step
        self._insert("steps", [(*msgspec.structs.astuple(info), None)])

    def add_ticks(self, step: int, rows: Iterable[TickRow]) -> None:
        """Take rows of a step; they reach the file some hundred at a time."""
        self._ticks += [to_columns(step, row) for row in rows]
        if len(self._ticks) >= _ROWS_PER_TRANSACTION:
            self._flush()

    def add_worker(
        self,
        step: int,
        worker: int,
        pid: int,
        calls: int,
        batches: int,
        busy_ns: int,
        restarts: int,
    ) -> None:
        """Save what one worker did in a step; before the step ends, for its use to be counted."""
        self._insert("workers", [(step, worker, pid, calls, batches, busy_ns, restarts)])

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
    ) -> None:
        """Close a step; ticks that are late may still follow.

        ``workers`` is how many there were in the mean, where that changed.
        """
        self._flush()
        self._queue.write(
            "UPDATE steps SET duration_s = ?, pss_mb_per_zone = ?, end_ns = ?, "
            "workers = coalesce(?, workers) WHERE step = ?",
            [(duration_s, pss_mb_per_zone, end_ns, workers, step)],
        )

    def slow_down(self, delay_s: float, until_ns: int) -> None:
        """Have each write take so much longer, until a moment of the monotonic clock."""
        self._file.slow_down(delay_s, until_ns)

    def tell_news(self) -> None:
        """Tell what has become of the disk; to be called now and then.

        Raises OutputError where not even what was saved can be read any more.
        """
        while self._news:
            self._tell("results-unwritable", self._news.popleft())
        if self._queue.wait(0):
            self._told_of_stall = False
        elif self._queue.stalled_s >= STALLED_S and not self._told_of_stall:
            self._told_of_stall = True
            self._tell("results-stalled", self._waited("they wait in memory"))
        with writing(self._path):
            self._queue.check()

    def wait_until_written(self, is_in_a_hurry: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the disk as long as it does anything; whether it has taken all there is."""
        while not self._gave_up:
            is_written = self._queue.wait(_LOOK_S)
            self.tell_news()
            if is_written and not self._news and self._queue.wait(0):  # the events of the news, too
                with writing(self._path):
                    self._queue.check()
                return True
            self._gave_up = self._queue.stalled_s > PATIENCE_S or self._is_too_late(is_in_a_hurry)
        return False

    def _is_too_late(self, is_in_a_hurry: Callable[[], bool]) -> bool:
        """For whoever wants the end soon."""
        now_s = time.monotonic()
        if self._hurried_s is None and is_in_a_hurry():
            self._hurried_s = now_s
        return self._hurried_s is not None and now_s - self._hurried_s > HURRY_S

    def finish(
        self,
        world_hash: str,
        is_in_a_hurry: Callable[[], bool] = lambda: False,
    ) -> Summary:
        """Close the run, write ``summary.json`` and give back what it says.

        A fault slows nothing down any more. Raises OutputError where the disk does not take what
        there is to sum up: it is read from there.
        """
        self._flush()
        self._queue.write("UPDATE runs SET world_hash = ?", [(world_hash,)])
        self._end(is_in_a_hurry)
        with writing(self._path):
            summary = summarise(read_run(self._file.database))
        return self._save(summary, is_in_a_hurry)

    def _end(self, is_in_a_hurry: Callable[[], bool]) -> None:
        self._file.hurry()
        self._flush()
        if not self.wait_until_written(is_in_a_hurry):
            raise OutputError(self._waited(AND_LOST))

    def _save(self, summary: Summary, is_in_a_hurry: Callable[[], bool]) -> Summary:
        saved = self._queue.ask(self._file.save)
        written = self._queue.ask(lambda: write_summary(self.directory, summary))
        if not self.wait_until_written(is_in_a_hurry):
            self._on_unwritable(self._waited(AND_LOST))
            return summary
        self.saved = saved.result()
        try:
            written.result()
        except OutputError as error:
            if self.saved:  # else it has been told
                self.saved = False
                self._tell("results-unwritable", str(error))
                if self.wait_until_written(is_in_a_hurry):
                    events = read_events(self._file.database)
                    summary = msgspec.structs.replace(summary, events=events)
        return summary

    def _flush(self) -> None:
        rows, self._ticks = self._ticks, []
        if self._file.is_full or self._is_full:
            return
        if self._queue.has_room(len(rows)):
            self._insert("ticks", rows)
        else:
            self._is_full = True
            self._tell("results-unwritable", f"{self._path}: {TOO_SLOW}; {AND_FULL}")

    def _insert(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._queue.write(insertion(table, rows[0]), rows)

    def _tell(self, kind: str, line: str) -> None:
        line = encodable(line)  # it names the file
        self.add_event(Event(self._step, time.monotonic_ns(), kind, line))
        self._on_unwritable(line)

    def _waited(self, and_so: str) -> str:
        """What has become of figures that a disk does not take, in one line."""
        waited = f"the disk has taken no figures of the run for {self._queue.stalled_s:.0f} s"
        return f"{self._path}: {waited}; {and_so}"


def _json(value: Mapping[str, object]) -> str:
    return msgspec.json.encode(value).decode()
