"""The AsyncTask that finds paths, and checks of what it answers. Imports no scipy by itself."""

from __future__ import annotations

from collections.abc import Sequence

import corororo as cr
from zonesim.world.map import Query
from zonesim.world.terrain import Map


class PathError(ValueError):
    """A path that no walker could follow: one line naming the step."""


@cr.async_task
def find_path(graph: str, start: int, goal: int) -> bytes:
    """Return a shortest path from one cell to another, both included.

    ``graph`` is the path of a graph file. The cells are packed uint32 in native byte order, so
    that ``memoryview(result).cast("I")`` reads them without a copy; ``b""`` says that start and
    goal are not connected. Raises ValueError for a cell outside the map.
    """
    # Here and not above: zones import this module, and must do without scipy.
    from zonesim.world.search import search_path

    return search_path(graph, start, goal)


def check_path(on_map: Map, start: int, goal: int, cells: Sequence[int]) -> float:
    """Return the cost of a path in cells; raise PathError where a step is not legal."""
    if not cells or cells[0] != start or cells[-1] != goal:
        ends = f"{cells[0]} to {cells[-1]}" if cells else "no cell at all"
        raise PathError(f"a path from {start} to {goal} is needed, got {ends}")
    cost = 0.0
    for number in range(len(cells) - 1):
        cost += _step_cost(on_map, cells[number], cells[number + 1], number)
    return cost


def query_matches(query: Query, cost: float) -> bool:
    """Tell whether a cost is the query's optimum, within what its printed digits allow."""
    return abs(cost - query.optimum) <= max(0.011, 6e-6 * query.optimum)


def _step_cost(on_map: Map, here: int, there: int, number: int) -> float:
    x, y = on_map.position(here)
    next_x, next_y = on_map.position(there)
    cost = on_map.step_cost(x, y, next_x - x, next_y - y)
    if cost is None:
        raise PathError(
            f"step {number} from ({x}, {y}) to ({next_x}, {next_y}) is not legal; a step goes to "
            "one of the 8 neighbours of the same terrain class and cuts no corner"
        )
    return cost
