"""What is to be written to a run's file, and the thread that writes it, in the order it came.

Whoever minds processes waits for no disk: it hands rows over, and goes on. Knows no tables, and
tells nobody anything by itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple, TypeAlias, TypeVar

from zonesim.results.run_file import Rows, RunFile

QUEUED_ROWS_MAX = 1 << 18  # of about 1 KB each, so 256 MB: a quarter of an hour of 100 zones
MERGED_ROWS_MAX = 1 << 13  # that wait, and are written as one: a slow disk has fewer writes to do

T = TypeVar("T")


class _Writing(NamedTuple):
    statement: str
    rows: Rows


_Entry: TypeAlias = _Writing | Callable[[], None]


class RunQueue:
    """Has ``file`` for itself, but for those moments in which ``wait`` says that all is done.

    What the file raises ends the writing: ``check`` raises it, and all that came later is void.
    """

    def __init__(self, file: RunFile) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._rows = 0  # of all entries, and of those that are being written
        self._began_s: float | None = None  # with the entry that is at hand; None without one
        self._failure: Exception | None = None
        self._closed = False
        # Nobody waits for it at the end of the program: a disk may hold it up for ever.
        self._thread = threading.Thread(target=self._write_all, name="run file", daemon=True)
        self._thread.start()

    @property
    def stalled_s(self) -> float:
        """For how long it has been at what it does now; 0 where it does nothing."""
        began_s = self._began_s
        return 0.0 if began_s is None else time.monotonic() - began_s

    def has_room(self, rows: int) -> bool:
        """Whether so many rows more may wait; what is no mass may do so in any case."""
        return self._rows + rows <= QUEUED_ROWS_MAX

    def write(self, statement: str, rows: Rows) -> None:
        """Have rows added or changed."""
        self._put(_Writing(statement, rows), len(rows))

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """Have something done when all is written that came before."""
        asked: Future[T] = Future()

        def answer() -> None:
            try:
                asked.set_result(work())
            except Exception as error:  # it is for whoever asks
                asked.set_exception(error)

        self._put(answer, 0)
        return asked

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is nothing left to do; whether that is so. The file is free then."""
        with self._changed:
            return self._changed.wait_for(self._is_done, timeout_s)

    def check(self) -> None:
        """Raise what the file has raised."""
        if self._failure is not None:
            raise self._failure

    def close(self, timeout_s: float) -> bool:
        """Drop what still waits, and have the thread end and close the file; whether it has."""
        with self._changed:
            self._entries.clear()
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _put(self, entry: _Entry, rows: int) -> None:
        with self._changed:
            self._entries.append(entry)
            self._rows += rows
            self._changed.notify_all()

    def _is_done(self) -> bool:
        return not self._entries and self._began_s is None

    # -- in the thread

    def _write_all(self) -> None:
        while (entry := self._next()) is not None:
            try:
                self._do(entry)
            except Exception as error:  # whoever minds the run has to hear of it
                self._failure = error
            self._note_done(entry)
        self._file.close()

    def _do(self, entry: _Entry) -> None:
        if not isinstance(entry, _Writing):
            entry()
        elif self._failure is None:
            self._file.write(entry.statement, entry.rows)

    def _next(self) -> _Entry | None:
        """Wait for an entry; None where there will be none any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._closed)
            if not self._entries:
                return None
            self._began_s = time.monotonic()
            entry = self._entries.popleft()
            return self._merged(entry) if isinstance(entry, _Writing) else entry

    def _merged(self, first: _Writing) -> _Writing:
        """With those behind it that do the same."""
        rows = list(first.rows)
        while self._entries and len(rows) < MERGED_ROWS_MAX:
            following = self._entries[0]
            if not isinstance(following, _Writing) or following.statement != first.statement:
                break
            rows += following.rows
            self._entries.popleft()
        return _Writing(first.statement, rows)

    def _note_done(self, entry: _Entry) -> None:
        with self._changed:
            self._began_s = None
            if isinstance(entry, _Writing):
                self._rows -= len(entry.rows)
            self._changed.notify_all()
