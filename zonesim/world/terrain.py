"""A grid map: what stands where, and which steps are legal. Knows no files and no graph.

Rules of movement: N. Sturtevant, "Benchmarks for Grid-Based Pathfinding", IEEE TCIAIG
4(2):144-148, 2012.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt
from typing import Final

import msgspec

SQRT2: Final = sqrt(2.0)

# Classes of terrain. Cells of different classes are never connected.
BLOCKED: Final = 0
GROUND: Final = 1
WATER: Final = 2

CLASS_OF: Final = {
    ".": GROUND,
    "G": GROUND,
    "S": GROUND,  # a swamp: as good as ground in this benchmark
    "W": WATER,
    "@": BLOCKED,
    "O": BLOCKED,
    "T": BLOCKED,
}
_TO_CLASSES: Final = {ord(char): chr(terrain) for char, terrain in CLASS_OF.items()}


class Map(msgspec.Struct, frozen=True):
    """A rectangle of terrain; (0, 0) is top left and cell = y * width + x."""

    name: str
    rows: tuple[str, ...]  # terrain characters, height strings of width characters
    classes: bytes  # BLOCKED, GROUND or WATER of each cell

    @property
    def width(self) -> int:
        """Cells in a row."""
        return len(self.rows[0])

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def terrain_class(self, x: int, y: int) -> int:
        """Return the class of a cell; everything outside the map is BLOCKED."""
        if 0 <= y < len(self.rows) and 0 <= x < len(self.rows[0]):
            return self.classes[y * len(self.rows[0]) + x]
        return BLOCKED

    def passable(self, x: int, y: int) -> bool:
        """Tell whether something, walker or swimmer, can stand at (x, y)."""
        return self.terrain_class(x, y) != BLOCKED

    def cell(self, x: int, y: int) -> int:
        """Return the number of the cell at (x, y)."""
        return y * self.width + x

    def position(self, cell: int) -> tuple[int, int]:
        """Return the (x, y) of a cell."""
        y, x = divmod(cell, self.width)
        return x, y

    def step_cost(self, x: int, y: int, dx: int, dy: int) -> float | None:
        """Return the cost of one step, 1 or sqrt(2), or None where the step is not legal.

        A diagonal step needs both cells that it passes between, so corners are not cut.
        """
        here = self.terrain_class(x, y)
        if here == BLOCKED or max(abs(dx), abs(dy)) != 1:
            return None
        if self.terrain_class(x + dx, y + dy) != here:
            return None
        if not (dx and dy):
            return 1.0
        sides = self.terrain_class(x + dx, y), self.terrain_class(x, y + dy)
        return SQRT2 if sides == (here, here) else None

    def steps_from(self, cell: int) -> Iterator[tuple[int, float]]:
        """Yield (cell, cost) of every legal step from a cell."""
        x, y = self.position(cell)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                cost = self.step_cost(x, y, dx, dy)
                if cost is not None:
                    yield self.cell(x + dx, y + dy), cost


def map_of_rows(rows: Iterable[str], name: str) -> Map:
    """Return the map of rows that are already known to be rectangular and of known terrain."""
    rows = tuple(rows)
    return Map(name, rows, "".join(rows).translate(_TO_CLASSES).encode("latin-1"))
