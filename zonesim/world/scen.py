"""The queries of a Moving AI ``.scen`` file, and the map that they are for."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from .map import GROUND, Map, numbered_lines, scale_map, whole_number

_FIELDS = "bucket map width height start-x start-y goal-x goal-y optimum"


class ScenError(ValueError):
    """Queries that cannot be read: one line with the file, its line, what was expected, found."""


class Query(msgspec.Struct, frozen=True):
    """One path to look for: cells from start to goal and the cost of the best path."""

    start: int  # cell
    goal: int  # cell
    optimum: float  # in cells: straight steps cost 1, diagonal ones sqrt(2)


class Scen(NamedTuple):
    """What a .scen file holds, for one map."""

    ground: Map  # the map, in the size that the queries are for
    queries: list[Query]
    skipped: int  # rows that start off the ground
    notes: list[str]  # accepted differences between map and queries, a line each


class _Row(NamedTuple):
    where: str  # file and line
    name: str  # of the map
    size: tuple[int, int]  # width and height
    start: tuple[int, int]  # x and y
    goal: tuple[int, int]
    optimum: float


def load_scen(path: str | Path, ground: Map) -> Scen:
    """Read the queries of a ``.scen`` file for a map.

    Rows that start off the ground, as in the Warcraft sets, are skipped. The name of the map may
    differ, since files are renamed. A size that is a multiple of the map's scales the map, as the
    format says. Raises ScenError.
    """
    rows = _read_rows(path)
    factor = _factor(rows[0], ground)
    scaled = ground if factor == 1 else scale_map(ground, factor)
    found = [_query(row, scaled) for row in rows]
    queries = [query for query in found if scaled.classes[query.start] == GROUND]
    if not queries:
        raise ScenError(
            f"{rows[0].where}: expected a query from here on that starts on the ground, "
            f"found {len(rows)} that {'does' if len(rows) == 1 else 'do'} not"
        )
    return Scen(scaled, queries, len(found) - len(queries), _notes(rows, ground, factor))


def _read_rows(path: str | Path) -> list[_Row]:
    try:
        lines = numbered_lines(Path(path).read_bytes())
    except OSError as error:
        found = error.strerror
        raise ScenError(f"{path}: expected a readable .scen file, found: {found}") from None
    lines = [(number, line) for number, line in lines if not line.lstrip().startswith("#")]
    number, version = lines[0] if lines else (1, "")
    if version.lower().split()[:1] != ["version"]:
        raise ScenError(f"{path}: line {number}: expected 'version 1', found {version[:40]!r}")
    if not lines[1:]:
        raise ScenError(f"{path}: line {number + 1}: expected a query, found the end of the file")
    return [_row(line, f"{path}: line {number}") for number, line in lines[1:]]


def _row(line: str, where: str) -> _Row:
    names, words = _FIELDS.split(), line.split()
    if len(words) != len(names):
        raise ScenError(f"{where}: expected {len(names)} fields ({_FIELDS}), found {len(words)}")
    fields = dict(zip(names, words, strict=True))

    def pair(first: str, second: str) -> tuple[int, int]:
        return _whole(first, fields[first], where), _whole(second, fields[second], where)

    try:
        optimum = float(fields["optimum"])
    except ValueError:
        found = fields["optimum"]
        raise ScenError(f"{where}: expected a number for optimum, found {found!r}") from None
    size, start = pair("width", "height"), pair("start-x", "start-y")
    return _Row(where, fields["map"], size, start, pair("goal-x", "goal-y"), optimum)


def _whole(field: str, word: str, where: str) -> int:
    value = whole_number(word)
    if value is None:
        raise ScenError(f"{where}: expected a whole number for {field}, found {word!r}")
    return value


def _factor(row: _Row, ground: Map) -> int:
    """How much larger than the map the one that the queries are for is, in each direction."""
    factor = max(1, row.size[0] // ground.width)
    if row.size != (ground.width * factor, ground.height * factor):
        raise ScenError(
            f"{row.where}: expected queries for the {_by(ground.width, ground.height)} cells of "
            f"{ground.name}, or for a whole multiple of them, found {_by(*row.size)}"
        )
    return factor


def _query(row: _Row, ground: Map) -> Query:
    if row.size != (ground.width, ground.height):
        size = _by(ground.width, ground.height)
        raise ScenError(
            f"{row.where}: expected queries for {size} cells, as before, found {_by(*row.size)}"
        )
    start, goal = _cell(row.start, "start", row, ground), _cell(row.goal, "goal", row, ground)
    return Query(start, goal, row.optimum)


def _cell(point: tuple[int, int], what: str, row: _Row, ground: Map) -> int:
    x, y = point
    if not (0 <= x < ground.width and 0 <= y < ground.height):
        raise ScenError(f"{row.where}: expected a {what} within {_by(*row.size)}, found ({x}, {y})")
    return y * ground.width + x


def _notes(rows: list[_Row], ground: Map, factor: int) -> list[str]:
    notes = []
    other = next((row for row in rows if _file_name(row.name) != _file_name(ground.name)), None)
    if other is not None:
        notes.append(f"{other.where}: queries for {other.name}, taken for {ground.name}")
    if factor > 1:
        notes.append(f"{rows[0].where}: queries for {_by(*rows[0].size)}, map scaled by {factor}")
    return notes


def _file_name(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


def _by(width: int, height: int) -> str:
    return f"{width}x{height}"
