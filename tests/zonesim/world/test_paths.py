from __future__ import annotations

import pytest

import corororo as cr
from zonesim.world.map import SQRT2, Query, map_of_rows
from zonesim.world.path_check import PathError, check_path, find_path, query_matches

OPEN = map_of_rows(["...", "...", "..W"], "m")
WALL = map_of_rows([".@.", "...", "..W"], "m")


def test_a_task_gets_its_path_as_packed_cells(graph_of):
    graph = graph_of(OPEN)

    async def ask() -> list[int]:
        return list(memoryview(await find_path(graph, 0, 4)).cast("I"))

    with cr.Scheduler() as scheduler:
        assert scheduler.run(ask()) == [0, 4]


def test_the_cost_of_a_path_is_the_sum_of_its_steps():
    assert check_path(OPEN, 0, 5, [0, 4, 5]) == SQRT2 + 1.0
    assert check_path(OPEN, 0, 0, [0]) == 0.0


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([], "got no cell at all"),
        ([0, 3], "got 0 to 3"),
        ([1, 4], "got 1 to 4"),
        ([0, 1, 4], r"step 0 from \(0, 0\) to \(1, 0\) is not legal"),  # a wall
        ([0, 4], r"step 0 from \(0, 0\) to \(1, 1\) is not legal"),  # cuts a corner
        ([0, 3, 3, 4], r"step 1 from \(0, 1\) to \(0, 1\) is not legal"),
        ([0, 3, 5, 4], r"step 1 from \(0, 1\) to \(2, 1\) is not legal"),
        ([0, 3, 4, 5, 8, 4], r"step 3 from \(2, 1\) to \(2, 2\) is not legal"),  # into water
    ],
)
def test_a_path_that_nobody_could_walk_is_refused(cells, reason):
    with pytest.raises(PathError, match=reason):
        check_path(WALL, 0, 4, cells)


@pytest.mark.parametrize(
    ("optimum", "cost", "matches"),
    [
        (10.0, 10.0, True),
        (10.0, 10.0105, True),
        (10.0, 9.98, False),
        (10.0, 10.02, False),
        (10_000.0, 10_000.05, True),
        (10_000.0, 10_000.07, False),
    ],
)
def test_a_cost_matches_within_the_digits_that_the_optimum_is_printed_with(optimum, cost, matches):
    assert query_matches(Query(0, 0, 0, optimum), cost) is matches
