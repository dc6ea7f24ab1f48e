"""Steps and shortest paths on a raster: an array of cells, in which the blocked ones are 0.

A step joins two cells of one value; a diagonal one needs both cells that it passes between, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .map import SQRT2

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Raster = NDArray[np.uint8]
Matrix = Any  # a csr_array; scipy ships no types

# (down, right), in the order of the cells that they lead to.
_STEPS: Final = [step for step in product((-1, 0, 1), repeat=2) if step != (0, 0)]
WAVES_MAX: Final = 4  # as often as a raster is wide and high
_COSTS: Final = np.array([SQRT2 if y and x else 1.0 for y, x in _STEPS])


def step_matrix(raster: Raster) -> Matrix:
    """The costs of all steps as a CSR matrix: nodes in cell order, columns of a row rising."""
    frame = np.pad(raster, 1)  # so that every cell has eight neighbours
    cells = np.flatnonzero(frame).astype(np.int32)
    node_of = np.empty(frame.size, np.int32)
    node_of[cells] = np.arange(len(cells), dtype=np.int32)
    legal = _legal_steps(raster, frame)
    offsets = np.array([y * frame.shape[1] + x for y, x in _STEPS], np.int32)
    columns = node_of[(cells[:, None] + offsets)[legal]]
    row_ends = np.cumsum(legal.sum(axis=1), dtype=np.int32)
    costs = np.broadcast_to(_COSTS, legal.shape)[legal]
    arrays = costs, columns, np.concatenate((np.zeros(1, np.int32), row_ends))
    return csr_array(arrays, shape=(len(cells),) * 2)


def _legal_steps(raster: Raster, frame: Raster) -> NDArray[np.bool_]:
    """For each cell that is not blocked, which of the eight steps are legal."""
    height, width = raster.shape
    joined = {
        (y, x): frame[1 + y : 1 + y + height, 1 + x : 1 + x + width] == raster for y, x in _STEPS
    }
    passable = raster != 0
    legal = np.empty((np.count_nonzero(passable), len(_STEPS)), np.bool_)
    for number, (y, x) in enumerate(_STEPS):
        step = joined[y, x] & joined[y, 0] & joined[0, x] if y and x else joined[y, x]
        legal[:, number] = step[passable]
    return legal


def wave_path(raster: Raster, start: int, goal: int) -> Ints | None:
    """The cells of a shortest path between cells of a raster of 0 and 1 that are connected.

    On a large raster it takes an eighth of the memory of a search on the matrix, and less time.
    Among equally short paths it may choose a different one. None where the path is so long, as in
    a maze, that the matrix is faster.
    """
    height, width = raster.shape
    frame = np.pad(raster, 1)
    stride = width + 2
    first, last = ((cell // width + 1) * stride + cell % width + 1 for cell in (start, goal))
    cost = _spread(frame, first, last, WAVES_MAX * (height + width))
    if cost is None:
        return None
    path = [first]
    while path[-1] != last:
        path.append(_next_cell(cost, path[-1], stride))
    rows, columns = np.divmod(np.array(path, np.int32), stride)
    cells: Ints = (rows - 1) * width + columns - 1
    return cells


def _spread(frame: Raster, start: int, goal: int, limit: int) -> Floats | None:
    """The cost from each cell to the goal, as far as the start; negative where blocked.

    Dijkstra's algorithm, which takes all cells at once whose costs have the same whole part: no
    step costs less than 1, so none of them lies on a shortest path to another. None if the cost
    exceeds the limit.
    """
    cost = np.where(frame, inf, -1.0).ravel()
    cost[goal] = 0.0
    number = np.zeros(cost.size, np.int32)
    # Cells to expand, by the whole part of their cost: the current one and the next two. A cell is
    # added again whenever its cost falls.
    waves = [[np.array([goal], np.int32)], [], []]
    whole = 0
    while cost[start] >= whole:
        if whole > limit:
            return None
        cells = np.concatenate(waves[0])
        numbers = np.arange(len(cells), dtype=np.int32)  # to take each cell once, unsorted
        number[cells] = numbers
        cells = cells[(number[cells] == numbers) & (cost[cells] >= whole)]
        waves = [waves[1], waves[2], []]
        whole += 1
        for reached in _take_steps(cost, cells, frame.shape[1]):
            is_next = cost[reached] < whole + 1
            waves[0].append(reached[is_next])
            waves[1].append(reached[~is_next])
    return cost


def _take_steps(cost: Floats, cells: Ints, stride: int) -> Iterator[Ints]:
    """Take each of the eight steps from all cells, and yield the cells that it reaches cheaper."""
    here = cost[cells]
    free = {}
    for step in (-stride, -1, 1, stride):
        free[step] = cost[cells + step] >= 0
        yield _reach(cost, cells + step, here + 1.0)
    for y, x in product((-stride, stride), (-1, 1)):
        passes = free[y] & free[x]
        yield _reach(cost, cells[passes] + (y + x), here[passes] + SQRT2)


def _reach(cost: Floats, cells: Ints, costs: Floats) -> Ints:
    cheaper = costs < cost[cells]
    reached = cells[cheaper]
    cost[reached] = costs[cheaper]
    return reached


def _next_cell(cost: Floats, cell: int, stride: int) -> int:
    """The next cell of a shortest path; of equals the one closest to the goal, then the first."""
    free = {step for step in (-stride, -1, 1, stride) if cost[cell + step] >= 0}
    diagonal = [y + x for y, x in product((-stride, stride), (-1, 1)) if {y, x} <= free]
    steps = [(1.0, step) for step in free] + [(SQRT2, step) for step in diagonal]
    known = [(cost[cell + step], length, cell + step) for length, step in steps]
    return min((at + length, at, near) for at, length, near in known if at >= 0)[2]
