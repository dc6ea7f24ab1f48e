"""What a run shows while it goes on, on standard error. Measures nothing and decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from zonesim.live_parts import BarLine
from zonesim.live_plain import PlainLines, Say, log_to
from zonesim.live_table import LiveTable
from zonesim.progress import Progress


class LiveView:
    """The live table on a terminal; elsewhere a line at both ends of a step and each 10 s."""

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Say | None = None,
    ) -> None:
        """``say`` takes the lines instead of ``stream``, where there is no terminal."""
        stream = stream or sys.stderr
        self._screen = _Screen(stream) if is_terminal(stream) else None
        self._plain = PlainLines(say or log_to(stream), clock)

    def __enter__(self) -> Self:
        if self._screen:
            self._screen.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._screen:
            self._screen.close()
        else:
            self._plain.close()

    def leave(self) -> None:
        """Say nothing more of the step that is shown: it goes on unseen."""
        self._plain.forget()

    def update(self, progress: Progress, note: str = "") -> None:
        """Show a newer state of the run, and a word about it."""
        if self._screen:
            self._screen.show(LiveTable(progress, note))
        else:
            self._plain.update(progress, note)

    def notice(self, text: str) -> None:
        """Say one thing that stays: a worker replaced, a folder cleaned up."""
        if self._screen:
            self._screen.print(text)
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
        self._screen = _Screen(stream) if is_terminal(stream) else None
        self._plain = PlainLines(log_to(stream), clock)

    def __enter__(self) -> Self:
        if self._screen:
            self._screen.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._screen:
            self._screen.close()

    def update(self, done: int, total: int) -> None:
        """Show how far the work is."""
        text = f"{done} of {total}"
        if self._screen:
            self._screen.show(
                Group(Text(self._title), BarLine(done / total if total else 1.0, text))
            )
        else:
            self._plain.print_now_and_then(f"{self._title}: {text}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a live table can be drawn here."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


class _Screen:
    """A part of the terminal that is drawn over and over, and wiped at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live = self._region()
        self._size = self._console.size
        self._is_gone = False

    def open(self) -> None:
        self._unless_gone(self._live.start)

    def close(self) -> None:
        self._unless_gone(self._live.stop)

    def show(self, renderable: RenderableType) -> None:
        if self._console.size != self._size:
            self._unless_gone(self._begin_anew)
        self._unless_gone(lambda: self._live.update(renderable, refresh=True))

    def print(self, text: str) -> None:
        self._unless_gone(lambda: self._console.print(text, markup=False))

    def _unless_gone(self, draw: Callable[[], None]) -> None:
        """A terminal that is gone must not end the run that it showed."""
        if not self._is_gone:
            try:
                draw()
            except OSError:
                self._is_gone = True

    def _begin_anew(self) -> None:
        """The terminal has another size, and has moved what was drawn who knows where."""
        self._live.stop()
        self._console.clear()
        self._size = self._console.size
        self._live = self._region()
        self._live.start()

    def _region(self) -> Live:
        # No refresh thread: the state is drawn when there is a new one, and the process that
        # supervises everything keeps a single thread.
        return Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
