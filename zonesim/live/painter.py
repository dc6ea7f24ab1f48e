"""The thread that draws a run on a terminal or into a log, so that no run waits for a reader."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from zonesim.system.interrupts import ENDING

if TYPE_CHECKING:
    from rich.console import RenderableType

LINES_KEPT = 256  # without a reader
PATIENCE_S = 1.0  # for a slow reader, at the end
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Screen:
    """A frame that is drawn over and over on a terminal, with lines above it, as text."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # a log needs none of it

        self._console = Console(file=stream, highlight=False)
        self._size = self._console.size
        self._frame: RenderableType | None = None
        self._height = 0  # of the frame that is drawn

    def draw(self, lines: Sequence[str], frame: RenderableType | None) -> str:
        """Add lines, and replace the frame if there is a new one."""
        before = self.wipe()
        self._frame = frame or self._frame
        with self._console.capture() as captured:
            if self._frame is not None:
                self._console.print(self._frame)
        text = captured.get()
        self._height = text.count("\n")
        return f"{_HIDE_CURSOR}{before}{_joined(lines)}{text}{_SHOW_CURSOR}"

    def wipe(self) -> str:
        """Take the frame away."""
        if self._console.size != self._size:  # the terminal has wrapped the frame anew
            self._size = self._console.size
            return "\x1b[H\x1b[2J"
        return f"\r\x1b[{self._height}A\x1b[J" if self._height else ""


class Painter:
    """Draws lines and the newest frame; without a reader, the latest 256 lines are kept.

    It writes to a duplicate of the stream's descriptor: Python's own streams hold a lock while they
    write, and Python waits for that lock at its exit.
    """

    def __init__(self, stream: TextIO, screen: Screen | None = None) -> None:
        self._stream = stream
        self._screen = screen
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._frame: RenderableType | None = None
        self._changed = threading.Condition()  # never held while something is drawn
        self._ending = False
        self._given_up = False
        # A daemon: a terminal without a reader must not keep the process from exiting.
        self._thread = threading.Thread(target=self._paint, name="zonesim view", daemon=True)
        self._thread.start()

    def show(self, frame: RenderableType) -> None:
        """Draw a frame unless a newer one comes first."""
        with self._changed:
            self._frame = frame
            self._changed.notify()

    def print(self, line: str) -> None:
        """Print a line that stays."""
        with self._changed:
            self._lines.append(line)
            self._changed.notify()

    def close(self) -> None:
        """Return when all is drawn, or after a second without a reader."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        try:
            self._thread.join(PATIENCE_S)
        finally:
            self._given_up = True

    # -- in the thread

    def _paint(self) -> None:
        # Signals are for the main thread, and cut no frame in two.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        with suppress(OSError):  # a terminal that is gone must not end the run
            file = os.dup(self._stream.fileno())
            try:
                while work := self._wait_for_work():
                    lines, frame = work
                    screen = self._screen
                    self._put(screen.draw(lines, frame) if screen else _joined(lines), file)
                self._put(self._screen.wipe() if self._screen else "", file)
            finally:
                os.close(file)

    def _wait_for_work(self) -> tuple[list[str], RenderableType | None] | None:
        """Return the waiting lines and frame; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._frame or self._ending)
            if self._given_up or not (self._lines or self._frame):
                return None
            lines, frame = list(self._lines), self._frame
            self._lines.clear()
            self._frame = None
            return lines, frame

    def _put(self, text: str, file: int) -> None:
        """Write all of it, however long that takes; nothing once the view is closed."""
        rest = b"" if self._given_up else text.encode(self._stream.encoding, "backslashreplace")
        while rest:
            rest = rest[os.write(file, rest) :]


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
