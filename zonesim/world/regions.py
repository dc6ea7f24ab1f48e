"""Connected regions of a rectangle of bytes. Knows no maps."""

from __future__ import annotations


def keep_largest_ground(rows: list[bytearray], ground: int, blocked: int) -> int:
    """Turn all ground outside its largest region into ``blocked``; return that region's cells.

    A diagonal step needs both of its sides free, so two cells are connected by the eight
    directions exactly when they are by the four straight ones: those suffice here.
    """
    width = len(rows[0]) + 1  # one blocked cell ends each row, and so begins the next
    flat = bytearray().join(bytes(row) + bytes([blocked]) for row in rows)
    flat += bytes([blocked]) * width  # below the last row, and by wrapping above the first
    regions = []
    start = flat.find(ground)
    while start >= 0:
        regions.append(_take_region(flat, start, width, ground, blocked))
        start = flat.find(ground, start)
    largest = max(regions, key=len, default=[])
    for row in rows:
        row[:] = row.replace(bytes([ground]), bytes([blocked]))
    for cell in largest:
        rows[cell // width][cell % width] = ground
    return len(largest)


def _take_region(flat: bytearray, start: int, width: int, ground: int, blocked: int) -> list[int]:
    """Block the region around ``start`` and return its cells."""
    flat[start] = blocked
    region = [start]
    for cell in region:  # grows while it is walked
        for near in (cell - width, cell - 1, cell + 1, cell + width):
            if flat[near] == ground:
                flat[near] = blocked
                region.append(near)
    return region
