"""A uniform grid that finds the nearest of some points."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

SIDE_UNITS: Final = 50.0  # of a square; also how far a query sees
NO_PLAYER: Final = -1
_EMPTY: Final[list[int]] = []


class Grid:
    """Points in squares of 50 units; all points within 50 units are in the 3x3 squares around.

    A point is entered in all nine squares around its own, so that a query looks into one. A
    zone has a few players and hundreds of mobs that look for them: many looks, few entries.
    """

    __slots__ = ("_columns", "_filled", "_neighbourhood", "_squares", "_xs", "_ys")

    def __init__(self, width_units: float, height_units: float) -> None:
        # A frame of one square on each side: a neighbourhood never leaves the list.
        self._columns = ceil(width_units / SIDE_UNITS) + 2
        rows = ceil(height_units / SIDE_UNITS) + 2
        self._squares = [_EMPTY] * (self._columns * rows)
        self._neighbourhood = [
            down * self._columns + right for down in (-1, 0, 1) for right in (-1, 0, 1)
        ]
        self._filled: list[int] = []
        self._xs: Sequence[float] = ()
        self._ys: Sequence[float] = ()

    def rebuild(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Replace all points; they are numbered in the order given.

        Coordinates are in units, from 0 to the grid's width and height. The sequences are
        kept, not copied: they must not change until the next rebuild.
        """
        squares = self._squares
        for square in self._filled:
            squares[square] = _EMPTY
        filled = []
        for number in range(len(xs)):
            middle = self._square(xs[number], ys[number])
            for offset in self._neighbourhood:
                square = middle + offset
                if squares[square]:
                    squares[square].append(number)
                else:
                    squares[square] = [number]
                    filled.append(square)
        self._filled = filled
        self._xs, self._ys = xs, ys

    def nearest(self, x: float, y: float) -> int:
        """Return the nearest point within 50 units, of equals the first, or NO_PLAYER."""
        found = NO_PLAYER
        candidates = self._squares[self._square(x, y)]
        if candidates:
            xs, ys = self._xs, self._ys
            closest = SIDE_UNITS * SIDE_UNITS
            for number in candidates:
                dx, dy = xs[number] - x, ys[number] - y
                distance = dx * dx + dy * dy
                if distance < closest or (found == NO_PLAYER and distance == closest):
                    closest, found = distance, number
        return found

    def _square(self, x: float, y: float) -> int:
        return (int(y / SIDE_UNITS) + 1) * self._columns + int(x / SIDE_UNITS) + 1
