"""Write the graph of a map to the file that zones and workers share.

Only controllers import this module: it loads numpy and scipy, which zone processes do without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .graph_file import HEADER, lay_out
from .map import Map
from .raster import Floats, Ints, Raster, step_matrix

# As many as the largest generated map has. For a larger map, each search works out the steps that
# it needs: all of them would take a second and half a gigabyte.
STEPS_NODES_MAX: Final = 1 << 20


def write_graph(game_map: Map, path: str | Path) -> None:
    """Write a map's graph to a new file."""
    raster = np.frombuffer(game_map.classes, np.uint8).reshape(game_map.height, game_map.width)
    node_cell = np.flatnonzero(raster).astype(np.int32)
    cell_node = np.full(raster.size, -1, np.int32)
    cell_node[node_cell] = np.arange(len(node_cell), dtype=np.int32)
    steps = _steps(raster, len(node_cell))
    layout = lay_out(game_map.width, game_map.height, len(node_cell), len(steps[1]))
    components = _components(raster, node_cell)
    arrays: list[NDArray[Any]] = [*steps, cell_node, node_cell, components]
    # write() and not a mapping: a page that finds no room in a mapping is a SIGBUS.
    with Path(path).open("wb") as file:
        file.write(HEADER.pack(*layout[:4]))
        for offset, array in zip(layout[4:-1], arrays, strict=True):
            file.seek(offset)
            file.write(array.data)
        file.truncate(layout.file_bytes)


def _steps(raster: Raster, nodes: int) -> tuple[Ints, Ints, Floats]:
    """The three arrays of the steps' CSR matrix; empty for a large map."""
    if nodes > STEPS_NODES_MAX:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    steps = step_matrix(raster)
    return steps.indptr, steps.indices, steps.data


def _components(raster: Raster, node_cell: Ints) -> Ints:
    """The component of each node, numbered by size: 0 is the largest.

    It connects the runs of equal cells in the rows: where a diagonal step is legal, two straight
    ones are legal, too.
    """
    begins = np.ones(raster.shape, np.bool_)
    np.not_equal(raster[:, 1:], raster[:, :-1], out=begins[:, 1:])
    run = np.cumsum(begins, dtype=np.int32).reshape(raster.shape) - 1
    touch = (raster[1:] == raster[:-1]) & (begins[1:] | begins[:-1])
    above, below = run[:-1][touch], run[1:][touch]
    size = (int(run[-1, -1]) + 1,) * 2
    graph = csr_array((np.ones(len(above)), (above, below)), shape=size)
    _, labels = connected_components(graph, directed=False)
    labels = labels[run.ravel()[node_cell]]
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty(len(by_size), np.int32)
    rank[by_size] = np.arange(len(by_size), dtype=np.int32)
    component: Ints = rank[labels]
    return component
