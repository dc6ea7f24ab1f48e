"""Grid maps: terrain, legal steps, and the Moving AI ``.map`` format.

Format and rules of movement: N. Sturtevant, "Benchmarks for Grid-Based Pathfinding", IEEE TCIAIG
4(2):144-148, 2012.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
_LARGEST_SIDE: Final = 65_535  # keeps a cell number within 32 bits

Lines = Sequence[tuple[int, str]]  # numbers and texts


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
        lines = numbered_lines(Path(path).read_bytes())
    except OSError as error:
        raise MapError(f"{path}: expected a readable map file, found: {error.strerror}") from None
    return _parse(lines, str(path))


def scale_map(ground: Map, factor: int) -> Map:
    """Return the map with each cell as a square of cells, ``factor`` on each side."""
    rows = ["".join(char * factor for char in row) for row in ground.rows]
    return map_of_rows([row for row in rows for _ in range(factor)], ground.name)


def numbered_lines(text: bytes) -> Lines:
    """The lines of a text with their numbers: without blank ones, and blanks at their ends.

    A byte order mark is no part of the first; bytes that are not UTF-8 are unknown characters.
    """
    lines = text.decode("utf-8-sig", errors="replace").splitlines()
    return [(number, line.rstrip()) for number, line in enumerate(lines, 1) if line.strip()]


def whole_number(text: str) -> int | None:
    """The value of ``5``, or of ``5.0`` as some programs write it; None if it is not whole."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _parse(lines: Lines, name: str) -> Map:
    sides: dict[str, int] = {}
    for place, (number, line) in enumerate(lines):
        if line.lower().split() == ["map"]:
            return _parse_rows(lines[place + 1 :], sides, f"{name}: line {number}", name)
        _read_header(line, sides, f"{name}: line {number}")
    raise MapError(f"{name}: line {_after(lines)}: expected 'map', found the end of the file")


def _read_header(line: str, sides: dict[str, int], where: str) -> None:
    """Take a line of the header, in any order; other types than these have other cells."""
    match line.lower().split():
        case ["type", "octile" | "tile"]:
            return
        case ["height" | "width" as side, text]:
            length = whole_number(text)
            if length is not None and 1 <= length <= _LARGEST_SIDE:
                sides[side] = length
                return
            expected = f"'{side}' and a number from 1 to {_LARGEST_SIDE}"
        case _:
            expected = "'type octile', 'height' and a number, 'width' and a number, or 'map'"
    raise MapError(f"{where}: expected {expected}, found {line[:40]!r}")


def _parse_rows(lines: Lines, sides: dict[str, int], where: str, name: str) -> Map:
    for side in ("height", "width"):
        if side not in sides:
            raise MapError(f"{where}: expected '{side}' and a number before 'map', found none")
    height = sides["height"]
    for number, row in lines[:height]:
        _check_row(row, sides["width"], f"{name}: line {number}")
    if len(lines) < height:
        raise MapError(
            f"{name}: line {_after(lines)}: expected row {len(lines) + 1} of {height}, "
            "found the end of the file"
        )
    rows, rest = lines[:height], lines[height:]
    if rest and rest[0][0] == rows[-1][0] + 1:  # below a blank line there may be anything
        raise MapError(
            f"{name}: line {rest[0][0]}: expected the end of the map after {height} rows, "
            f"found {rest[0][1][:40]!r}"
        )
    result = map_of_rows([row for _, row in rows], name)
    if not any(result.classes):
        raise MapError(f"{where}: expected a passable cell below it, found none")
    return result


def _check_row(row: str, width: int, where: str) -> None:
    unknown = row.translate(dict.fromkeys(map(ord, CLASS_OF)))
    if unknown:
        raise MapError(
            f"{where}: expected only {' '.join(CLASS_OF)}, found {unknown[0]!r} in column "
            f"{row.index(unknown[0]) + 1}"
        )
    if len(row) != width:
        raise MapError(f"{where}: expected a row of {width} cells, found {len(row)}")


def _after(lines: Lines) -> int:
    """The number of the line after these."""
    return lines[-1][0] + 1 if lines else 1
