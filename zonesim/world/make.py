"""Maps generated from a seed: caves, fields and towns.

Only integers are used, so a seed gives the same map on every Python and machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .determinism import Random, derive
from .map import Map, map_of_rows

LEAST_GROUND_PERCENT: Final = 40  # of all cells, in one connected region
_ATTEMPTS: Final = 10

Rows = list[bytearray]
_GROUND: Final = ord(".")
_ROCK: Final = ord("@")
_TREE: Final = ord("T")
_WATER: Final = ord("W")


def make_map(kind: str, width: int, height: int, seed: int) -> Map:
    """Return the map that a seed gives: ``caves``, ``fields`` or ``towns``.

    Its ground is one connected region of at least 40 % of the cells. Sides are at least 16.
    """
    for attempt in range(_ATTEMPTS):
        # Fewer obstacles with each attempt; the last one draws none.
        density = 100 - attempt * 100 // (_ATTEMPTS - 1)
        rows = MAKERS[kind](width, height, Random(derive(seed, attempt)), density)
        ground = keep_largest_ground(rows)
        if ground * 100 >= LEAST_GROUND_PERCENT * width * height:
            break
    name = f"{kind}-{width}x{height}-{seed}.map"
    return map_of_rows((row.decode("ascii") for row in rows), name)


def _draw_caves(width: int, height: int, random: Random, density: int) -> Rows:
    """A cellular automaton: noise, of which each cell takes over what most around it are."""
    rocks = [
        [1 if random.below(10_000) < 43 * density else 0 for _ in range(width)]
        for _ in range(height)
    ]
    outside = 1 if density else 0
    for _ in range(4):
        rocks = _smooth(rocks, width, outside)
    return [bytearray(_ROCK if rock else _GROUND for rock in row) for row in rocks]


def _smooth(rocks: list[list[int]], width: int, outside: int) -> list[list[int]]:
    edge = [outside] * width
    above, below = [edge, *rocks[:-1]], [*rocks[1:], edge]
    side = 3 * outside
    smoothed = []
    for three in zip(above, rocks, below, strict=True):
        sums = [side, *map(sum, zip(*three, strict=True)), side]
        smoothed.append(
            [1 if a + b + c >= 5 else 0 for a, b, c in zip(sums, sums[1:], sums[2:], strict=False)]
        )
    return smoothed


def _draw_fields(width: int, height: int, random: Random, density: int) -> Rows:
    """Open ground with single trees, some rocks and a few lakes."""
    rows = [bytearray([_GROUND]) * width for _ in range(height)]
    cells = width * height
    for _ in range(cells * density // 100 // 1_400 + (density > 0)):
        radius = random.between(3, max(3, min(width, height) // 10))
        _fill_disc(rows, random.below(width), random.below(height), radius, _WATER)
    for _ in range(cells * density // 100 // 250):
        _fill_disc(rows, random.below(width), random.below(height), random.between(1, 2), _ROCK)
    for _ in range(cells * density // 100 // 16):
        x, y = random.below(width), random.below(height)
        if rows[y][x] == _GROUND:
            rows[y][x] = _TREE
    return rows


def _fill_disc(rows: Rows, middle_x: int, middle_y: int, radius: int, terrain: int) -> None:
    for y in range(max(0, middle_y - radius), min(len(rows), middle_y + radius + 1)):
        for x in range(max(0, middle_x - radius), min(len(rows[0]), middle_x + radius + 1)):
            if (x - middle_x) ** 2 + (y - middle_y) ** 2 <= radius * radius:
                rows[y][x] = terrain


def _draw_towns(width: int, height: int, random: Random, density: int) -> Rows:
    """Houses along streets, some with a court, within a wall that has gates."""
    rows = [bytearray([_GROUND]) * width for _ in range(height)]
    if not density:
        return rows
    margin = max(2, min(width, height) // 12)
    _build_wall(rows, random, margin)
    for y, block_height in _blocks(random, margin + 3, height - margin - 3):
        for x, block_width in _blocks(random, margin + 3, width - margin - 3):
            if random.below(100) * 100 < 85 * density:  # the others are squares
                _build_house(rows, random, x, y, block_width, block_height)
    return rows


def _blocks(random: Random, start: int, end: int) -> list[tuple[int, int]]:
    """Starts and lengths of blocks along one axis, streets of 2 or 3 cells between them."""
    blocks = []
    while start < end:
        length = min(random.between(4, 8), end - start)
        blocks.append((start, length))
        start += length + random.between(2, 3)
    return blocks


def _build_wall(rows: Rows, random: Random, margin: int) -> None:
    right, bottom = len(rows[0]) - 1 - margin, len(rows) - 1 - margin
    for x in range(margin, right + 1):
        rows[margin][x] = rows[bottom][x] = _ROCK
    for y in range(margin, bottom + 1):
        rows[y][margin] = rows[y][right] = _ROCK
    for y in (margin, bottom):
        gate = random.between(margin + 2, right - 4)
        rows[y][gate : gate + 3] = bytes([_GROUND]) * 3
    for x in (margin, right):
        gate = random.between(margin + 2, bottom - 4)
        for y in range(gate, gate + 3):
            rows[y][x] = _GROUND


def _build_house(rows: Rows, random: Random, x: int, y: int, width: int, height: int) -> None:
    for row in rows[y : y + height]:
        row[x : x + width] = bytes([_ROCK]) * width
    if min(width, height) >= 5 and random.below(100) < 40:
        for row in rows[y + 1 : y + height - 1]:
            row[x + 1 : x + width - 1] = bytes([_GROUND]) * (width - 2)
        rows[y + height - 1][x + width // 2] = _GROUND  # the entrance of the court


def keep_largest_ground(rows: Rows) -> int:
    """Turn all ground outside its largest region into rock; return the size of that region.

    A diagonal step needs both of its sides free, so two cells are connected by the eight
    directions exactly when they are by the four straight ones: those suffice here.
    """
    width = len(rows[0]) + 1  # one rock ends each row, and so begins the next
    flat = bytearray().join(bytes(row) + bytes([_ROCK]) for row in rows)
    flat += bytes([_ROCK]) * width  # below the last row, and by wrapping above the first
    regions = []
    start = flat.find(_GROUND)
    while start >= 0:
        regions.append(_take_region(flat, start, width))
        start = flat.find(_GROUND, start)
    largest = max(regions, key=len, default=[])
    for row in rows:
        row[:] = row.replace(bytes([_GROUND]), bytes([_ROCK]))
    for cell in largest:
        rows[cell // width][cell % width] = _GROUND
    return len(largest)


def _take_region(flat: bytearray, start: int, width: int) -> list[int]:
    """Turn the region around ``start`` into rock and return its cells."""
    flat[start] = _ROCK
    region = [start]
    for cell in region:  # grows while it is walked
        for near in (cell - width, cell - 1, cell + 1, cell + width):
            if flat[near] == _GROUND:
                flat[near] = _ROCK
                region.append(near)
    return region


MAKERS: Final[dict[str, Callable[[int, int, Random, int], Rows]]] = {
    "caves": _draw_caves,
    "fields": _draw_fields,
    "towns": _draw_towns,
}
