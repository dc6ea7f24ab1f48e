"""Small maps drawn by hypothesis, and a plain Dijkstra to compare with."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from hypothesis import strategies as st

from zonesim.world.map import Map, map_of_rows


@st.composite
def drawn_maps(draw) -> Map:
    """A map of up to 9x9 cells, at least one of them passable."""
    width = draw(st.integers(1, 9))
    height = draw(st.integers(1, 9))
    cells = st.sampled_from("....GSWW@T")
    rows = draw(
        st.lists(st.text(cells, min_size=width, max_size=width), min_size=height, max_size=height)
    )
    drawn = map_of_rows(rows, "drawn.map")
    return drawn if any(drawn.classes) else map_of_rows(["."], "drawn.map")


def steps_from(on_map: Map, cell: int) -> Iterator[tuple[int, float]]:
    """Every legal step from a cell."""
    x, y = on_map.position(cell)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            cost = on_map.step_cost(x, y, dx, dy)
            if cost is not None:
                yield cell + dy * on_map.width + dx, cost


def plain_distances(on_map: Map, start: int) -> dict[int, float]:
    """Dijkstra, on the map itself: the cost of each cell in reach."""
    costs = {start: 0.0}
    queue = [(0.0, start)]
    while queue:
        cost, cell = heapq.heappop(queue)
        if cost > costs[cell]:
            continue
        for near, step in steps_from(on_map, cell):
            if cost + step < costs.get(near, float("inf")):
                costs[near] = cost + step
                heapq.heappush(queue, (cost + step, near))
    return costs
