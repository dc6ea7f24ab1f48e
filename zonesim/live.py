"""What a run shows while it goes on, on standard error. Measures nothing and decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from zonesim.live_table import bar, count_zones, render
from zonesim.progress import Progress
from zonesim.step_table import figure

PLAIN_INTERVAL_S = 10.0


class LiveView:
    """The live table on a terminal; elsewhere a line at both ends of a step and each 10 s."""

    def __init__(
        self,
        title: str,
        period_ms: float,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        stream = stream or sys.stderr
        self._title = title
        self._period_ms = period_ms
        self._screen = _Screen(stream) if is_terminal(stream) else None
        self._plain = _PlainLines(stream, clock)
        self._latest: dict[int, Progress] = {}  # by step

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

    def update(self, progress: Progress) -> None:
        """Show a newer state of the run."""
        self._latest[progress.step] = progress
        if self._screen:
            self._screen.show(render(self._title, list(self._latest.values()), self._period_ms))
        else:
            self._plain.update(progress)

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
        self._plain = _PlainLines(stream, clock)

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
            self._screen.show(Group(Text(self._title), bar(done / total if total else 1.0, text)))
        else:
            self._plain.print_now_and_then(f"{self._title}: {text}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a live table can be drawn here."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


class _Screen:
    """A part of the terminal that is drawn over and over, and wiped at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        # No refresh thread: the state is drawn when there is a new one, and the process that
        # supervises everything keeps a single thread.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def open(self) -> None:
        self._live.start()

    def close(self) -> None:
        self._live.stop()

    def show(self, renderable: RenderableType) -> None:
        self._live.update(renderable, refresh=True)

    def print(self, text: str) -> None:
        self._console.print(text, markup=False)


class _PlainLines:
    """A run as lines of a log."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._present: Progress | None = None
        self._printed_at = clock()

    def update(self, progress: Progress) -> None:
        before = self._present
        if before is None or before.step != progress.step:
            self.close()
            self.print(f"{_step(progress)}: {progress.phase}")
        else:
            self.print_now_and_then(f"{_step(progress)}: {_state(progress)}")
        self._present = progress

    def close(self) -> None:
        """Say how the present step ended, if there is one."""
        if self._present:
            self.print(f"{_step(self._present)}: ended after {_state(self._present)}")
            self._present = None

    def print_now_and_then(self, line: str) -> None:
        if self._clock() - self._printed_at >= PLAIN_INTERVAL_S:
            self.print(line)

    def print(self, line: str) -> None:
        self._printed_at = self._clock()
        # A log that cannot be written must not end the run that it tells of.
        with suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()


def _step(progress: Progress) -> str:
    return f"step {progress.step} of {progress.steps}, {count_zones(progress.zones)}"


def _state(progress: Progress) -> str:
    return (
        f"{progress.elapsed_s:.1f} s, {progress.zones_ready} ready, {progress.ticks} ticks, "
        f"{progress.late} late, {progress.missed} missed, response p50 "
        f"{figure(progress.response_p50_ms)} p95 {figure(progress.response_p95_ms)} "
        f"p99 {figure(progress.response_p99_ms)} ms, {progress.async_in_flight} in flight"
    )
