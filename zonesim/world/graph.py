"""Write the graph of a map to the file that zones and workers share.

Only controllers import this module: it loads numpy and scipy, which zone processes do without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .graph_file import HEADER, lay_out
from .map import BLOCKED, SQRT2, Map

Ints = NDArray[np.int32]
Matrix = Any  # a csr_array; scipy ships no types


def write_graph(game_map: Map, path: str | Path) -> None:
    """Write a map's graph to a new file."""
    cell_node, node_cell = _number_nodes(game_map)
    graph = _edges(game_map, cell_node)
    layout = lay_out(game_map.width, game_map.height, len(node_cell), graph.nnz)
    arrays = {
        layout.indptr: graph.indptr.astype(np.int32),
        layout.indices: graph.indices.astype(np.int32),
        layout.weights: graph.data,
        layout.cell_node: cell_node,
        layout.node_cell: node_cell,
        layout.component: _components(graph),
    }
    # write() and not a mapping: a page that finds no room in a mapping is a SIGBUS.
    with Path(path).open("wb") as file:
        file.write(HEADER.pack(*layout[:4]))
        for offset, array in arrays.items():
            file.seek(offset)
            file.write(array.tobytes())
        file.truncate(layout.file_bytes)


def _number_nodes(game_map: Map) -> tuple[Ints, Ints]:
    passable = np.frombuffer(game_map.classes, np.uint8) != BLOCKED
    node_cell = np.flatnonzero(passable).astype(np.int32)
    cell_node = np.full(len(passable), -1, np.int32)
    cell_node[node_cell] = np.arange(len(node_cell), dtype=np.int32)
    return cell_node, node_cell


def _edges(game_map: Map, cell_node: Ints) -> Matrix:
    """The CSR matrix of all legal steps, columns of a row in rising order."""
    height, width = game_map.height, game_map.width
    terrain = np.frombuffer(game_map.classes, np.uint8).reshape(height, width)
    # A blocked frame, so that every cell has eight neighbours.
    classes = np.pad(terrain, 1)
    nodes = np.pad(cell_node.reshape(height, width), 1, constant_values=-1)
    here = terrain != BLOCKED

    def shifted(frame: NDArray[Any], dx: int, dy: int) -> NDArray[Any]:
        return frame[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    rows, columns, weights = [], [], []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            # For a straight step two of the three cells looked at are its ends.
            legal = here.copy()
            for cells in (
                shifted(classes, dx, dy),
                shifted(classes, dx, 0),
                shifted(classes, 0, dy),
            ):
                legal &= cells == terrain
            if not (dx or dy):
                continue
            rows.append(shifted(nodes, 0, 0)[legal])
            columns.append(shifted(nodes, dx, dy)[legal])
            weights.append(np.full(len(rows[-1]), SQRT2 if dx and dy else 1.0))
    size = int(here.sum())
    place = np.concatenate(rows), np.concatenate(columns)
    graph = csr_array((np.concatenate(weights), place), shape=(size, size))
    graph.sort_indices()
    return graph


def _components(graph: Matrix) -> Ints:
    """The component of each node; renumbered so that component 0 is the largest."""
    _, labels = connected_components(graph, directed=False)
    sizes = np.bincount(labels)
    by_size = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(sizes), np.int32)
    rank[by_size] = np.arange(len(sizes), dtype=np.int32)
    component: Ints = rank[labels]
    return component
