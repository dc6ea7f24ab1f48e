"""What a run shows while it goes on, on standard error. Measures nothing and decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from zonesim.live_plain import PlainLines, Say, log_to
from zonesim.progress import Progress

if TYPE_CHECKING:
    from zonesim.live_screen import Screen


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
        self._screen = _screen(stream)
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
            self._screen.show_table(progress, note)
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
        self._screen = _screen(stream)
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
            self._screen.show_bar(self._title, done / total if total else 1.0, text)
        else:
            self._plain.print_now_and_then(f"{self._title}: {text}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a live table can be drawn here."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _screen(stream: TextIO) -> Screen | None:
    """What is drawn over and over, where there is a terminal to draw it on."""
    if not is_terminal(stream):
        return None
    # Here and not above: a log needs no rich, which takes a while to import.
    from zonesim.live_screen import Screen

    return Screen(stream)
