"""What waits to be drawn: the newest frame, and the lines that stay. Bounded, whoever reads."""

from __future__ import annotations

from collections import deque
from typing import Generic, NamedTuple, TypeVar

LINES_KEPT = 256

Frame = TypeVar("Frame")


class Work(NamedTuple, Generic[Frame]):
    """What is to be drawn next: lines, oldest first, and a frame if there is a newer one."""

    lines: list[str]
    frame: Frame | None


class Backlog(Generic[Frame]):
    """Older frames give way to newer ones, and the oldest lines where there are too many."""

    def __init__(self, lines_kept: int = LINES_KEPT) -> None:
        self._lines: deque[str] = deque(maxlen=lines_kept)
        self._left_out = 0
        self._frame: Frame | None = None

    def add(self, line: str) -> None:
        """One more line that stays."""
        self._left_out += len(self._lines) == self._lines.maxlen
        self._lines.append(line)

    def show(self, frame: Frame) -> None:
        """A newer frame."""
        self._frame = frame

    def take(self) -> Work[Frame] | None:
        """All that waits; None where nothing does."""
        if not self._lines and self._frame is None:
            return None
        gap = [f"lines left out, as nobody read them: {self._left_out}"] if self._left_out else []
        work = Work([*gap, *self._lines], self._frame)
        self._lines.clear()
        self._left_out, self._frame = 0, None
        return work
