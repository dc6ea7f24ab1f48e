"""Shortest paths on a graph file, inside a worker.

Only workers import this module: it loads numpy and scipy, which zone processes do without.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, sqrt
from typing import Final

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from .graph_file import map_graph
from .raster import Ints, Matrix, Raster, step_matrix, wave_path

# Most paths are little longer than the octile distance; the rest is found by searching wider.
_FIRST_FACTOR: Final = 1.3
_FIRST_EXTRA: Final = 4.0  # cells: room to walk around something small
_WIDEN: Final = 2.0
_GRAPHS_KEPT: Final = 1_024
WINDOW_REACH_MAX: Final = 256  # cells; a wave over the whole map is as fast from here on


class _Graph:
    """A graph file, mapped: all workers share its pages."""

    def __init__(self, path: str) -> None:
        layout, mapped = map_graph(path)
        self.width, self.height = layout.width, layout.height
        cells = layout.width * layout.height
        self.cell_node = np.frombuffer(mapped, np.int32, cells, layout.cell_node)
        self.node_cell = np.frombuffer(mapped, np.int32, layout.nodes, layout.node_cell)
        self.component = np.frombuffer(mapped, np.int32, layout.nodes, layout.component)
        self.matrix: Matrix | None = None
        if layout.edges:
            weights = np.frombuffer(mapped, np.float64, layout.edges, layout.weights)
            indices = np.frombuffer(mapped, np.int32, layout.edges, layout.indices)
            indptr = np.frombuffer(mapped, np.int32, layout.nodes + 1, layout.indptr)
            self.matrix = csr_array((weights, indices, indptr), shape=(layout.nodes,) * 2)

    def window(self, cell: int, reach: int) -> tuple[int, int, Raster]:
        """Top, left and cells of the square around a cell; all outside its component are 0."""
        y, x = divmod(cell, self.width)
        top, left = max(y - reach, 0), max(x - reach, 0)
        rows = self.cell_node.reshape(self.height, self.width)
        nodes = rows[top : y + reach + 1, left : x + reach + 1]
        component = self.component[self.cell_node[cell]]
        raster = (nodes >= 0) & (self.component[nodes] == component)
        return top, left, raster.view(np.uint8)


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
    limit = octile_distance(start, goal, graph.width) * _FIRST_FACTOR + _FIRST_EXTRA
    cells = None
    while cells is None:  # start and goal are in one component, so a wide enough search ends
        if graph.matrix is None:
            cells = _path_on_raster(graph, start, goal, limit)
        else:
            nodes = _path_of_nodes(graph.matrix, start_node, goal_node, limit)
            cells = None if nodes is None else graph.node_cell[nodes]
        limit *= _WIDEN
    return cells.astype(np.uint32).tobytes()


def octile_distance(start: int, goal: int, width: int) -> float:
    """Return the cost of the best path on an empty map, in cells."""
    start_y, start_x = divmod(start, width)
    goal_y, goal_x = divmod(goal, width)
    dx, dy = abs(start_x - goal_x), abs(start_y - goal_y)
    return max(dx, dy) + (sqrt(2.0) - 1.0) * min(dx, dy)


def _path_of_nodes(matrix: Matrix, start: int, goal: int, limit: float) -> list[int] | None:
    """The nodes of a shortest path; None where it costs more than the limit."""
    # Rooted at the goal, so that the path comes out from start to goal.
    distances, predecessors = dijkstra(matrix, indices=goal, return_predecessors=True, limit=limit)
    if distances[start] == inf:
        return None
    next_node = predecessors.item
    nodes = [start]
    while nodes[-1] != goal:
        nodes.append(next_node(nodes[-1]))
    return nodes


def _path_on_raster(graph: _Graph, start: int, goal: int, limit: float) -> Ints | None:
    """The cells of a shortest path, of a graph file without steps; None as above.

    Whatever the limit puts in reach of the goal lies in a window around it.
    """
    far = limit > WINDOW_REACH_MAX
    reach = max(graph.width, graph.height) if far else int(limit)
    top, left, raster = graph.window(goal, reach)
    width = raster.shape[1]
    first, last = (
        (cell // graph.width - top) * width + cell % graph.width - left for cell in (start, goal)
    )
    path = wave_path(raster, first, last) if far else None
    if path is None:
        path = _path_by_matrix(raster, first, last, inf if far else limit)
    if path is None:
        return None
    rows, columns = np.divmod(path, width)
    cells: Ints = (rows + top) * graph.width + columns + left
    return cells


def _path_by_matrix(raster: Raster, start: int, goal: int, limit: float) -> Ints | None:
    """The same path as on the steps of the whole map, since their order is the same."""
    passable = np.flatnonzero(raster)
    first, last = np.searchsorted(passable, (start, goal)).tolist()
    nodes = _path_of_nodes(step_matrix(raster), first, last, limit)
    return None if nodes is None else passable[nodes].astype(np.int32)
