"""Shortest paths on a graph file, inside a worker. Knows no tasks and no entities.

Only workers import this module: it loads numpy and scipy, which zone processes do without.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from zonesim.world.graph_layout import GraphLayout, read_header
from zonesim.world.terrain import SQRT2

# Most paths are little longer than the octile distance; the rest is found by searching wider.
_FIRST_FACTOR: Final = 1.3
_FIRST_EXTRA: Final = 4.0  # cells: room to walk around something small
_WIDEN: Final = 2.0
_GRAPHS_KEPT: Final = 1_024


class _Graph:
    """A graph file, mapped: all workers share its pages."""

    def __init__(self, path: str) -> None:
        with Path(path).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        layout = read_header(memoryview(mapped), len(mapped), path)
        self.layout: GraphLayout = layout
        weights = np.frombuffer(mapped, np.float64, layout.edges, layout.weights)
        indices = np.frombuffer(mapped, np.int32, layout.edges, layout.indices)
        indptr = np.frombuffer(mapped, np.int32, layout.nodes + 1, layout.indptr)
        self.matrix: Any = csr_array((weights, indices, indptr), shape=(layout.nodes,) * 2)
        cells = layout.width * layout.height
        self.cell_node = np.frombuffer(mapped, np.int32, cells, layout.cell_node)
        self.node_cell = np.frombuffer(mapped, np.int32, layout.nodes, layout.node_cell)
        self.component = np.frombuffer(mapped, np.int32, layout.nodes, layout.component)

    def node(self, cell: int) -> int:
        """The node of a cell, -1 where it is blocked."""
        if not 0 <= cell < len(self.cell_node):
            raise ValueError(f"cell must be from 0 to {len(self.cell_node) - 1}, got {cell}")
        return int(self.cell_node[cell])


# A path stands for one graph as long as the process lives: sessions write, never rewrite.
_graph = lru_cache(_GRAPHS_KEPT)(_Graph)


def search_path(graph_path: str, start: int, goal: int) -> bytes:
    """Return the cells of a shortest path from start to goal, both included.

    Cells are packed native-endian uint32; ``b""`` says that there is no path. The same
    (graph, start, goal) gives the same path in every worker, ties included: nothing else
    enters the search.
    """
    graph = _graph(graph_path)
    start_node, goal_node = graph.node(start), graph.node(goal)
    if start_node < 0 or goal_node < 0:
        return b""
    if graph.component[start_node] != graph.component[goal_node]:
        return b""
    nodes = _walk(_predecessors(graph, start, start_node, goal, goal_node), start_node, goal_node)
    cells: NDArray[np.uint32] = graph.node_cell[nodes].astype(np.uint32)
    return cells.tobytes()


def octile_distance(start: int, goal: int, width: int) -> float:
    """Return the cost of the best path on an empty map, in cells."""
    start_y, start_x = divmod(start, width)
    goal_y, goal_x = divmod(goal, width)
    dx, dy = abs(start_x - goal_x), abs(start_y - goal_y)
    return max(dx, dy) + (SQRT2 - 1.0) * min(dx, dy)


def _predecessors(
    graph: _Graph, start: int, start_node: int, goal: int, goal_node: int
) -> NDArray[np.int32]:
    """The next node towards the goal, for each node that the search reached.

    Rooted at the goal, so that the path comes out from start to goal.
    """
    for limit in _limits(octile_distance(start, goal, graph.layout.width)):
        distances, predecessors = dijkstra(
            graph.matrix, indices=goal_node, return_predecessors=True, limit=limit
        )
        if distances[start_node] < inf:
            break
    nodes: NDArray[np.int32] = predecessors
    return nodes


def _limits(distance: float) -> Iterator[float]:
    """Growing bounds of a search. They end: start and goal are known to be connected."""
    limit = distance * _FIRST_FACTOR + _FIRST_EXTRA
    while True:
        yield limit
        limit *= _WIDEN


def _walk(predecessors: NDArray[np.int32], start_node: int, goal_node: int) -> list[int]:
    next_node = predecessors.item
    node = start_node
    nodes = [node]
    while node != goal_node:
        node = next_node(node)
        nodes.append(node)
    return nodes
