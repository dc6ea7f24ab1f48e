"""The terminal that a run is drawn on, over and over. Knows what it draws and not when."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from zonesim.live_parts import BarLine
from zonesim.live_table import LiveTable
from zonesim.progress import Progress


class Screen:
    """A part of the terminal that is drawn over and over, and wiped at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live = self._region()
        self._size = self._console.size
        self._is_gone = False

    def open(self) -> None:
        """Begin to draw."""
        self._unless_gone(self._live.start)

    def close(self) -> None:
        """Wipe it."""
        self._unless_gone(self._live.stop)

    def show_table(self, progress: Progress, note: str) -> None:
        """Draw the state of a run, and a word about it."""
        self._show(LiveTable(progress, note))

    def show_bar(self, title: str, part: float, text: str) -> None:
        """Draw how far a work is."""
        self._show(Group(Text(title), BarLine(part, text)))

    def print(self, text: str) -> None:
        """Say one thing that stays."""
        self._unless_gone(lambda: self._console.print(text, markup=False))

    def _show(self, renderable: RenderableType) -> None:
        if self._console.size != self._size:
            self._unless_gone(self._begin_anew)
        self._unless_gone(lambda: self._live.update(renderable, refresh=True))

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
