"""Draws in a thread of its own: whoever has something to show waits for no terminal.

A terminal that is stopped, or a pipe that nobody empties, holds up that thread alone. Knows no
runs.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from zonesim.live.backlog import Backlog, Work
from zonesim.live.outlet import Outlet
from zonesim.system.interrupts import ENDING

PATIENCE_S = 1.0  # for who reads slowly, at the end


Frame = TypeVar("Frame")
Drawn = TypeVar("Drawn", contravariant=True)


class Sheet(Protocol[Drawn]):
    """Makes the text of what is to be seen. After each text others may print as well."""

    def begin(self) -> str:
        """What comes before all else."""

    def draw(self, lines: Sequence[str], frame: Drawn | None) -> str:
        """Lines that stay, and a frame in place of the one before."""

    def end(self) -> str:
        """What takes the last frame away."""


class Painter(Generic[Frame]):
    """The thread that draws what it is given, until it is closed."""

    def __init__(self, outlet: Outlet, sheet: Sheet[Frame], patience_s: float = PATIENCE_S) -> None:
        self._outlet = outlet
        self._sheet = sheet
        self._patience_s = patience_s
        self._backlog: Backlog[Frame] = Backlog()
        self._changed = threading.Condition()  # never held while something is drawn
        self._ending = False
        self._given_up = False
        self._failure: Exception | None = None
        # A daemon: Python must not wait at its end for who waits for a reader.
        self._thread = threading.Thread(target=self._paint, name="zonesim view", daemon=True)

    def open(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def show(self, frame: Frame) -> None:
        """Have a frame drawn unless a newer one comes first; it must not change any more."""
        with self._changed:
            self._backlog.show(frame)
            self._changed.notify()

    def print(self, line: str) -> None:
        """Have a line printed that stays."""
        with self._changed:
            self._backlog.add(line)
            self._changed.notify()

    def close(self) -> None:
        """Return when all is drawn, or when nobody has read it for a while: then the rest is not.

        What is being written at that moment stays as it is, whenever it is read.
        """
        with self._changed:
            self._ending = True
            self._changed.notify()
        try:
            self._thread.join(self._patience_s)
        finally:
            self._given_up = True

    def check(self) -> None:
        """Raise what drawing has failed of, if it has."""
        if self._failure is not None:
            raise self._failure

    def _paint(self) -> None:
        # Signals are for the thread that waits for them, and cut no frame in two.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        # A terminal that is gone must not end the run that it showed.
        with suppress(OSError), self._outlet:
            try:
                self._draw_all()
            except OSError:
                raise
            except Exception as error:
                self._failure = error  # for who closes; a run goes on until then
                self._outlet.put(f"\nnothing more is shown: drawing failed of {error!r}\n")

    def _draw_all(self) -> None:
        self._put(self._sheet.begin())
        while (work := self._wait_for_work()) is not None:
            self._put(self._sheet.draw(*work))
        self._put(self._sheet.end())

    def _put(self, text: str) -> None:
        if not self._given_up:  # else others print where a frame would go
            self._outlet.put(text)

    def _wait_for_work(self) -> Work[Frame] | None:
        """What is to be drawn next; None where nothing is any more."""
        with self._changed:
            while (work := self._backlog.take()) is None and not self._ending:
                self._changed.wait()
        return None if self._given_up else work
