"""What a run shows while it goes on, on standard error. Measures nothing and decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

from zonesim.live.outlet import Outlet
from zonesim.live.painter import Painter, Sheet
from zonesim.live.plain import PlainLines, PlainSheet, Say
from zonesim.live.progress import Progress


class LiveView:
    """The live table on a terminal; elsewhere a line at both ends of a step and each 10 s.

    Nothing here waits for a reader, but the end, a second at the most; see Painter.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Say | None = None,
    ) -> None:
        """``say`` takes the lines at once instead of ``stream``, where there is no terminal."""
        stream = stream or sys.stderr
        self._has_table = is_terminal(stream)
        self._painter = Painter(Outlet(stream), _table_on(stream))
        self._plain = PlainLines(say or self._painter.print, clock)

    def __enter__(self) -> Self:
        self._painter.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._has_table:
            self._plain.close()
        _close(self._painter, error)

    def leave(self) -> None:
        """Say nothing more of the step that is shown: it goes on unseen."""
        self._plain.forget()

    def update(self, progress: Progress, note: str = "") -> None:
        """Show a newer state of the run, and a word about it."""
        if self._has_table:
            self._painter.show((progress, note))
        else:
            self._plain.update(progress, note)

    def notice(self, text: str) -> None:
        """Say one thing that stays: a worker replaced, a folder cleaned up."""
        if self._has_table:
            self._painter.print(text)
        else:
            self._plain.print(text)


class CountView:
    """A bar that counts up to a total on a terminal; elsewhere a line each 10 s."""

    def __init__(
        self,
        title: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        stream = stream or sys.stderr
        self._title = title
        self._has_bar = is_terminal(stream)
        self._painter = Painter(Outlet(stream), _bar_on(stream, title))
        self._plain = PlainLines(self._painter.print, clock)

    def __enter__(self) -> Self:
        self._painter.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _close(self._painter, error)

    def update(self, done: int, total: int) -> None:
        """Show how far the work is."""
        if self._has_bar:
            self._painter.show((done, total))
        else:
            self._plain.print_now_and_then(f"{self._title}: {done} of {total}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a live table can be drawn here."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


# Their imports stand inside: a log needs no rich, which takes a while to come.


def _table_on(stream: TextIO) -> Sheet[tuple[Progress, str]]:
    if not is_terminal(stream):
        return PlainSheet()
    from zonesim.live.screen import Screen
    from zonesim.live.table import LiveTable

    return Screen(stream, lambda frame: LiveTable(*frame))


def _bar_on(stream: TextIO, title: str) -> Sheet[tuple[int, int]]:
    if not is_terminal(stream):
        return PlainSheet()
    from zonesim.live.bar import bar
    from zonesim.live.screen import Screen

    return Screen(stream, lambda counts: bar(title, *counts))


def _close(painter: Painter[Any], error: BaseException | None) -> None:
    painter.close()
    if error is None:  # else that says more than what came of showing it
        painter.check()
