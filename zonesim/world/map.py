"""Grid maps: terrain, legal steps, and the Moving AI ``.map`` format.

Format and rules of movement: N. Sturtevant, "Benchmarks for Grid-Based Pathfinding", IEEE TCIAIG
4(2):144-148, 2012.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from pathlib import Path
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
_HEADER_LINES: Final = 4
_LARGEST_SIDE: Final = 65_535  # keeps a cell number within 32 bits


class MapError(ValueError):
    """A map that cannot be read: one line with the file, its line, what was expected and found."""


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

    def position(self, cell: int) -> tuple[int, int]:
        """Return the (x, y) of a cell."""
        y, x = divmod(cell, self.width)
        return x, y

    def step_cost(self, x: int, y: int, dx: int, dy: int) -> float | None:
        """Return the cost of one step, 1 or sqrt(2), or None where the step is not legal.

        A diagonal step needs both cells that it passes between, so corners are not cut.
        """
        here = self._class_at(x, y)
        if here == BLOCKED or max(abs(dx), abs(dy)) != 1:
            return None
        if self._class_at(x + dx, y + dy) != here:
            return None
        if not (dx and dy):
            return 1.0
        sides = self._class_at(x + dx, y), self._class_at(x, y + dy)
        return SQRT2 if sides == (here, here) else None

    def _class_at(self, x: int, y: int) -> int:
        """The class of a cell; everything outside the map is BLOCKED."""
        if 0 <= y < self.height and 0 <= x < self.width:
            return self.classes[y * self.width + x]
        return BLOCKED


def map_of_rows(rows: Iterable[str], name: str) -> Map:
    """Return the map of rows that are already known to be rectangular and of known terrain."""
    rows = tuple(rows)
    return Map(name, rows, "".join(rows).translate(_TO_CLASSES).encode("latin-1"))


def load_map(path: str | Path) -> Map:
    """Read a Moving AI ``.map`` file; raise MapError where it is not one."""
    try:
        # Bytes that are not ASCII become one unknown character each.
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise MapError(f"{path}: expected a readable map file, found: {error.strerror}") from None
    return parse_map(text, str(path))


def parse_map(text: str, name: str) -> Map:
    """Return the map of a Moving AI ``.map`` text; raise MapError with ``name`` and line."""
    lines = text.splitlines()
    _header(lines, 0, name, "type octile")
    height = _side(lines, 1, name, "height")
    width = _side(lines, 2, name, "width")
    _header(lines, 3, name, "map")
    rows = lines[_HEADER_LINES:]
    for number, row in enumerate(rows[:height], _HEADER_LINES + 1):
        _check_row(row, width, f"{name}: line {number}")
    if len(rows) < height or any(map(str.strip, rows[height:])):
        raise MapError(f"{name}: expected {height} rows, as in line 2, found {len(rows)}")
    result = map_of_rows(rows[:height], name)
    if not any(result.classes):
        raise MapError(f"{name}: expected a passable cell, found none")
    return result


def _header(lines: list[str], index: int, name: str, expected: str) -> None:
    line = lines[index] if index < len(lines) else ""
    if line.split() != expected.split():
        raise MapError(f"{name}: line {index + 1}: expected '{expected}', found {line[:40]!r}")


def _side(lines: list[str], index: int, name: str, keyword: str) -> int:
    line = lines[index] if index < len(lines) else ""
    match line.split():
        case [word, digits] if word == keyword and digits.isdecimal() and len(digits) <= 6:
            side = int(digits)
            if 1 <= side <= _LARGEST_SIDE:
                return side
    raise MapError(
        f"{name}: line {index + 1}: expected '{keyword}' and a number from 1 to {_LARGEST_SIDE}, "
        f"found {line[:40]!r}"
    )


def _check_row(row: str, width: int, where: str) -> None:
    unknown = row.translate(dict.fromkeys(map(ord, CLASS_OF)))
    if unknown:
        raise MapError(
            f"{where}: expected only {' '.join(CLASS_OF)}, found {unknown[0]!r} in column "
            f"{row.index(unknown[0]) + 1}"
        )
    if len(row) != width:
        raise MapError(f"{where}: expected a row of {width} cells, found {len(row)}")
