"""The database of a run: in its file while the disk takes it, from then on in memory.

Knows that there are tables, not what stands in them.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import NamedTuple

# Figures survive a kill of the process; a power cut may take the run with it. Rows are written one
# after another and never looked for: a cache of the file's pages would only grow with the run.
_SETTINGS = "PRAGMA synchronous = OFF; PRAGMA cache_size = -256;"
LOCKED_S = 5.0  # how long somebody may read the file until that counts as a refusal
HELD_PAGES_MAX = 1 << 16  # of 4 KB, so 256 MB: over an hour of 100 zones at 2.5 ticks/s
SPARE_PAGES = 1 << 10  # on top of these, for all that is no mass

OnRefused = Callable[[str], None]
Rows = Sequence[Sequence[object]]


class _Slowness(NamedTuple):
    """What a fault does to a disk."""

    delay_s: float
    until_ns: int  # monotonic


class RunFile:
    """The one connection to a run's database, for one thread at a time.

    A disk that refuses (it is full, the folder is gone or read-only) does not end a run: all that
    was saved is copied into memory, and the run goes on there. ``on_refused`` hears why. What
    bounds that memory: the file as it was, and HELD_PAGES_MAX on top. When that is full,
    ``on_refused`` hears so, too; the rows that came are dropped, and whoever has masses of them
    must bring no more. ``save`` tries the disk again.

    Raises sqlite3.Error where the file cannot be made, or not even be read any more.
    """

    def __init__(self, path: Path, schema: str, on_refused: OnRefused) -> None:
        self._path = path
        self._on_refused = on_refused
        self.is_held = False  # in memory, and not in the file
        self.is_full = False
        self._slowness = _Slowness(0.0, 0)
        self._hurried = threading.Event()
        self._writes = 0
        with ExitStack() as undo:
            self.database = sqlite3.connect(path, timeout=LOCKED_S, check_same_thread=False)
            undo.enter_context(closing(self.database))
            self.database.executescript(_SETTINGS + schema)
            undo.pop_all()

    def begin(self, table: str, row: Sequence[object]) -> None:
        """Add the first row of all; raises sqlite3.Error where the disk does not take even that."""
        self._write_all(insertion(table, row), [row])

    def write(self, statement: str, rows: Rows) -> None:
        """Add or change rows, all of them or none."""
        try:
            self._write_all(statement, rows)
        except sqlite3.Error as error:
            if self.is_held:
                self._fill_up(error)
                return
            self._hold()
            if not self._has_taken(self._writes + 1):
                self._write_all(statement, rows)
            self._on_refused(
                f"{self._path}: the figures of the run cannot be written, got: "
                f"{self._reason(error)}; it goes on with them in memory, and writes them at its "
                "end if there is room again"
            )

    def slow_down(self, delay_s: float, until_ns: int) -> None:
        """Have each write take so much longer, until a moment of the monotonic clock.

        From any thread, as ``hurry``.
        """
        self._slowness = _Slowness(delay_s, until_ns)

    def hurry(self) -> None:
        """Be slowed down no more, from the write that is under way on."""
        self._hurried.set()

    def save(self) -> bool:
        """Try once more to get into the file what is held in memory; whether all is there."""
        if self.is_held:
            # It was refused before: what is not said again is not lost.
            with suppress(sqlite3.Error), ExitStack() as undo:
                file = undo.enter_context(closing(self._reopened()))
                self.database.backup(file)
                undo.pop_all()
                self.database.close()
                self.database, self.is_held = file, False  # what comes yet goes there as well
        return not self.is_held

    def close(self) -> None:
        """Give up the connection, and what is held."""
        self.database.close()

    def _write_all(self, statement: str, rows: Rows) -> None:
        delay_s, until_ns = self._slowness
        if time.monotonic_ns() < until_ns:
            self._hurried.wait(delay_s)
        with self.database:  # rolls back what was refused half-way
            self.database.executemany(statement, rows)
            self.database.execute(f"PRAGMA user_version = {self._writes + 1}")
        self._writes += 1

    def _has_taken(self, write: int) -> bool:
        """Whether a write is there, by its number.

        One that was refused may be: where the folder goes in the middle of it, there is no journal
        any more that it could be rolled back by.
        """
        (number,) = self.database.execute("PRAGMA user_version").fetchone()
        return bool(number == write)

    def _hold(self) -> None:
        with ExitStack() as undo:
            memory = sqlite3.connect(":memory:", check_same_thread=False)
            undo.enter_context(closing(memory))
            self.database.backup(memory)  # which waits for whoever lets nobody read the file
            undo.pop_all()
        self.database.close()
        self.database, self.is_held = memory, True
        self._limit(HELD_PAGES_MAX)

    def _fill_up(self, error: sqlite3.Error) -> None:
        if self.is_full or error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise error
        self.is_full = True
        self._limit(SPARE_PAGES)
        self._on_refused(
            f"{self._path}: the figures of the run still cannot be written, and the memory for "
            "them is full; ticks from here on are not counted"
        )

    def _limit(self, more_pages: int) -> None:
        (pages,) = self.database.execute("PRAGMA page_count").fetchone()
        self.database.execute(f"PRAGMA max_page_count = {pages + more_pages}")

    def _reopened(self) -> sqlite3.Connection:
        """The file that is there already; raises sqlite3.Error where it is gone."""
        address = f"{self._path.resolve().as_uri()}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=LOCKED_S)

    def _reason(self, error: sqlite3.Error) -> str:
        return str(error) if self._path.exists() else "the file is gone"


def insertion(table: str, row: Sequence[object]) -> str:
    """The statement that adds rows like this one to a table."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})"
