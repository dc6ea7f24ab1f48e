"""Shortest paths on a graph file, inside a worker.

Only workers import this module: it loads numpy and scipy, which zone processes do without.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from .graph_file import map_graph

# Most paths are little longer than the octile distance; the rest is found by searching wider.
_FIRST_FACTOR: Final = 1.3
_FIRST_EXTRA: Final = 4.0  # cells: room to walk around something small
_WIDEN: Final = 2.0
_GRAPHS_KEPT: Final = 1_024


class _Graph:
    """A graph file, mapped: all workers share its pages."""

    def __init__(self, path: str) -> None:
        layout, mapped = map_graph(path)
        self.width = layout.width
        weights = np.frombuffer(mapped, np.float64, layout.edges, layout.weights)
        indices = np.frombuffer(mapped, np.int32, layout.edges, layout.indices)
        indptr = np.frombuffer(mapped, np.int32, layout.nodes + 1, layout.indptr)
        self.matrix: Any = csr_array((weights, indices, indptr), shape=(layout.nodes,) * 2)
        cells = layout.width * layout.height
        self.cell_node = np.frombuffer(mapped, np.int32, cells, layout.cell_node)
        self.node_cell = np.frombuffer(mapped, np.int32, layout.nodes, layout.node_cell)
        self.component = np.frombuffer(mapped, np.int32, layout.nodes, layout.component)


# A graph file is never rewritten at the same path, so the cache needs no check.
_graph = lru_cache(_GRAPHS_KEPT)(_Graph)


def search_path(graph_path: str, start: int, goal: int) -> bytes:
    """Return the cells of a shortest path from start to goal, both included.

    Cells are packed native-endian uint32; ``b""`` means that there is no path. The same
    (graph, start, goal) gives the same path in every worker, ties included.
    """
    graph = _graph(graph_path)
    start_node, goal_node = int(graph.cell_node[start]), int(graph.cell_node[goal])
    if start_node < 0 or goal_node < 0:
        return b""
    if graph.component[start_node] != graph.component[goal_node]:
        return b""
    distance = octile_distance(start, goal, graph.width)
    next_node = _next_nodes(graph.matrix, start_node, goal_node, distance).item
    node = start_node
    nodes = [node]
    while node != goal_node:
        node = next_node(node)
        nodes.append(node)
    cells: NDArray[np.uint32] = graph.node_cell[nodes].astype(np.uint32)
    return cells.tobytes()


def octile_distance(start: int, goal: int, width: int) -> float:
    """Return the cost of the best path on an empty map, in cells."""
    start_y, start_x = divmod(start, width)
    goal_y, goal_x = divmod(goal, width)
    dx, dy = abs(start_x - goal_x), abs(start_y - goal_y)
    return max(dx, dy) + (sqrt(2.0) - 1.0) * min(dx, dy)


def _next_nodes(
    matrix: Any,  # noqa: ANN401 - a csr_array; scipy ships no types
    start_node: int,
    goal_node: int,
    distance: float,
) -> NDArray[np.int32]:
    """The next node towards the goal, for each node that the search reached.

    Rooted at the goal, so that the path comes out from start to goal.
    """
    limit = distance * _FIRST_FACTOR + _FIRST_EXTRA
    while True:  # start and goal are in one component, so a wide enough search ends
        distances, predecessors = dijkstra(
            matrix, indices=goal_node, return_predecessors=True, limit=limit
        )
        if distances[start_node] < inf:
            nodes: NDArray[np.int32] = predecessors
            return nodes
        limit *= _WIDEN
