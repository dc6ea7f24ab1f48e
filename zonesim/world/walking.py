"""How far an entity gets along its path in a tick. Knows no reasons to go anywhere."""

from __future__ import annotations

from math import sqrt

from zonesim.world.entities import CELL_UNITS, Entities


def walk(entities: Entities, i: int, step: float, columns: int) -> bool:
    """Move an entity by ``step`` units along its path; tell whether its end is reached.

    ``columns`` is the width of the map in cells.
    """
    path = entities.paths[i]
    at = entities.at[i]
    if path is None or at >= len(path):
        return True
    # The hot loop of a tick: about one cell each time.
    x, y = entities.x[i], entities.y[i]
    while True:
        row, column = divmod(path[at], columns)
        next_x, next_y = (column + 0.5) * CELL_UNITS, (row + 0.5) * CELL_UNITS
        dx, dy = next_x - x, next_y - y
        distance = sqrt(dx * dx + dy * dy)
        if distance > step:
            share = step / distance
            x += dx * share
            y += dy * share
            break
        x, y = next_x, next_y
        step -= distance
        at += 1
        if at == len(path):
            break
    entities.x[i], entities.y[i], entities.at[i] = x, y, at
    return at == len(path)
