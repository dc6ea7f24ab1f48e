"""The part of a terminal that is drawn over and over, as text for it. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TextIO, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live

Frame = TypeVar("Frame")


class Screen(Generic[Frame]):
    """Frames one over the other, with the lines that stay above them, wiped at the end.

    Each text ends with the cursor seen, at the begin of an empty line below the frame: what others
    print after it, also where the end is never drawn, stands there.
    """

    def __init__(self, stream: TextIO, render: Callable[[Frame], RenderableType]) -> None:
        self._render = render
        self._console = Console(file=stream, highlight=False)
        self._live = self._region()
        self._size = self._console.size

    def begin(self) -> str:
        """Nothing yet is seen."""
        return self._text_of(self._live.start)

    def draw(self, lines: Sequence[str], frame: Frame | None) -> str:
        """Lines above, and the frame in place of the one before."""

        def draw() -> None:
            if self._console.size != self._size:
                self._begin_anew()
            if lines:
                self._console.print("\n".join(lines), markup=False)
            if frame is not None:
                self._live.update(Group(self._render(frame), ""), refresh=True)

        return self._text_of(draw)

    def end(self) -> str:
        """The lines alone stay."""
        return self._text_of(self._live.stop)

    def _text_of(self, draw: Callable[[], None]) -> str:
        with self._console.capture() as captured:
            self._console.show_cursor(False)
            draw()
            self._console.show_cursor(True)
        return captured.get()

    def _begin_anew(self) -> None:
        """The terminal has another size, and has moved what was drawn who knows where."""
        self._live.stop()
        self._console.clear()
        self._size = self._console.size
        self._live = self._region()
        self._live.start()

    def _region(self) -> Live:
        # No thread that refreshes: there is one that draws what is new, and nobody else.
        return Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
