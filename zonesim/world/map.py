"""The two Moving AI files: maps (``.map``) and the queries on them (``.scen``). Knows no graph.

Formats: N. Sturtevant, "Benchmarks for Grid-Based Pathfinding", IEEE TCIAIG 4(2):144-148, 2012.
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from zonesim.world.terrain import CLASS_OF, GROUND, map_of_rows
from zonesim.world.terrain import Map as Map

_HEADER_LINES: Final = 4
_LARGEST_SIDE: Final = 65_535  # keeps a cell number within 32 bits
_FIELDS: Final = "bucket map width height start-x start-y goal-x goal-y optimum"


class MapError(ValueError):
    """A map that cannot be read: one line naming the file, its line, what was expected, found."""


class ScenError(ValueError):
    """Queries that cannot be read: one line naming the file, its line, what was expected, found."""


class Query(msgspec.Struct, frozen=True):
    """One path to look for: cells from start to goal and the cost of the best path."""

    bucket: int
    start: int  # cell
    goal: int  # cell
    optimum: float  # in cells: straight steps cost 1, diagonal ones sqrt(2)


class Queries(list[Query]):
    """The queries of one file, and how many rows of it are not among them."""

    skipped: int = 0  # rows of the Warcraft sets that start off the ground


def parse_map(text: str, name: str) -> Map:
    """Return the map of a Moving AI ``.map`` text; raise MapError with ``name`` and line."""
    lines = text.splitlines()
    _check_keyword(lines, 0, name, "type octile")
    height = _side(lines, 1, name, "height")
    width = _side(lines, 2, name, "width")
    _check_keyword(lines, 3, name, "map")
    rows = lines[_HEADER_LINES : _HEADER_LINES + height]
    _check_rows(rows, width, height, name)
    _check_end(lines, height, name)
    result = map_of_rows(rows, name)
    if not any(result.classes):
        first, last = _HEADER_LINES + 1, _HEADER_LINES + height
        raise MapError(f"{name}: lines {first} to {last}: expected a passable cell, found none")
    return result


def load_map(path: str | Path) -> Map:
    """Read a Moving AI ``.map`` file; raise MapError where it is not one."""
    try:
        text = Path(path).read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MapError(f"{path}: line {line}: expected plain text, found byte {byte:#x}") from None
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise MapError(f"{path}: expected a readable map file, found: {found}") from None
    return parse_map(text, str(path))


def load_scen(path: str | Path, on_map: Map) -> Queries:
    """Read the queries of a ``.scen`` file for a map; raise ScenError where it is not one."""
    lines = _read(path).splitlines()
    if not lines or lines[0].split()[:1] != ["version"]:
        found = repr(lines[0][:40]) if lines else "an empty file"
        raise ScenError(f"{path}: line 1: expected 'version 1', found {found}")
    queries = Queries()
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            query = _query(line, f"{path}: line {number}", on_map)
            if on_map.classes[query.start] == GROUND:
                queries.append(query)
            else:
                queries.skipped += 1
    return queries


def _line(lines: list[str], index: int, name: str, expected: str) -> str:
    if index >= len(lines):
        raise MapError(f"{name}: line {index + 1}: expected {expected}, found the end of the file")
    return lines[index]


def _check_keyword(lines: list[str], index: int, name: str, keyword: str) -> None:
    line = _line(lines, index, name, f"'{keyword}'")
    if line.split() != keyword.split():
        raise MapError(f"{name}: line {index + 1}: expected '{keyword}', found {_shown(line)}")


def _side(lines: list[str], index: int, name: str, keyword: str) -> int:
    expected = f"'{keyword}' and a number from 1 to {_LARGEST_SIDE}"
    line = _line(lines, index, name, expected)
    words = line.split()
    if len(words) == 2 and words[0] == keyword and _is_number(words[1]):
        side = int(words[1])
        if 1 <= side <= _LARGEST_SIDE:
            return side
    raise MapError(f"{name}: line {index + 1}: expected {expected}, found {_shown(line)}")


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 6


def _check_rows(rows: list[str], width: int, height: int, name: str) -> None:
    for row, line in enumerate(rows):
        where = f"{name}: line {_HEADER_LINES + row + 1}"
        unknown = line.translate(dict.fromkeys(map(ord, CLASS_OF)))
        if unknown:
            known = " ".join(CLASS_OF)
            column = line.index(unknown[0]) + 1
            raise MapError(
                f"{where}: expected only {known}, found {unknown[0]!r} in column {column}"
            )
        if len(line) != width:
            raise MapError(f"{where}: expected a row of {width} cells, found {len(line)}")
    if len(rows) != height:
        raise MapError(
            f"{name}: line {_HEADER_LINES + len(rows) + 1}: expected row {len(rows) + 1} of "
            f"{height}, found the end of the file"
        )


def _check_end(lines: list[str], height: int, name: str) -> None:
    for index in range(_HEADER_LINES + height, len(lines)):
        if lines[index].strip():
            raise MapError(
                f"{name}: line {index + 1}: expected the end after {height} rows, "
                f"found {_shown(lines[index])}"
            )


def _shown(line: str) -> str:
    """A line short enough to quote within a one-line message."""
    return repr(line if len(line) <= 40 else line[:37] + "...")


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenError(f"{path}: expected a .scen file, found bytes that are not text") from None
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise ScenError(f"{path}: expected a readable .scen file, found: {found}") from None


def _query(line: str, where: str, on_map: Map) -> Query:
    words = line.split()
    if len(words) != 9:
        raise ScenError(f"{where}: expected 9 fields ({_FIELDS}), found {len(words)}")
    _check_map(words[1], where, on_map)
    try:
        bucket, width, height, *points = map(int, (words[0], *words[2:8]))
        optimum = float(words[8])
    except ValueError:
        raise ScenError(f"{where}: expected numbers for {_FIELDS}, found {line[:80]!r}") from None
    if not (isfinite(optimum) and optimum >= 0):
        raise ScenError(f"{where}: expected an optimum of at least 0, found {words[8]}")
    if (width, height) != (on_map.width, on_map.height):
        size = f"{on_map.width}x{on_map.height}"
        raise ScenError(f"{where}: expected the map's size {size}, found {width}x{height}")
    start = _cell(points[0], points[1], "start", where, on_map)
    goal = _cell(points[2], points[3], "goal", where, on_map)
    return Query(bucket, start, goal, optimum)


def _check_map(found: str, where: str, on_map: Map) -> None:
    expected = PurePosixPath(on_map.name).name
    if PurePosixPath(found.replace("\\", "/")).name != expected:
        raise ScenError(f"{where}: expected queries for {expected}, found {found}")


def _cell(x: int, y: int, what: str, where: str, on_map: Map) -> int:
    if not (0 <= x < on_map.width and 0 <= y < on_map.height):
        size = f"{on_map.width}x{on_map.height}"
        raise ScenError(f"{where}: expected a {what} within {size}, found ({x}, {y})")
    return on_map.cell(x, y)
