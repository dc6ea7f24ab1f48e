from __future__ import annotations

import math
from itertools import pairwise

import pytest

from zonesim.world.map import SQRT2, MapError, map_of_rows
from zonesim.world.path_check import (
    CHUNK,
    EXAMPLES,
    check_queries,
    path_cost,
    query_matches,
)
from zonesim.world.scen import Query, ScenError

MAP = "type octile\nheight 4\nwidth 5\nmap\n.....\n.@@@.\n...@.\n...@W\n"
ROW = "0\tmaps/my.map\t5\t4\t0\t0\t4\t0\t4.0\n"
WALL = map_of_rows([".@.", "...", "..W"], "m")


@pytest.fixture
def files(tmp_path):
    """Write a map and its queries; their paths."""

    def write(rows: str):
        (tmp_path / "my.map").write_text(MAP)
        (tmp_path / "my.scen").write_text("version 1.0\n" + rows)
        return tmp_path / "my.map", tmp_path / "my.scen"

    return write


def check(files):
    counts: list[tuple[int, int]] = []
    notes: list[str] = []
    report = check_queries(
        *files, 0, lambda done, total: counts.append((done, total)), notes.append
    )
    return report, counts, notes


def test_queries_are_answered_chunk_by_chunk_and_agree_with_the_optima(files):
    total = 2 * CHUNK + 1
    report, counts, notes = check(files(ROW * total))
    assert (report.map, report.scen) == ("my.map", "my.scen")
    assert (report.queries, report.answered, report.mismatches) == (total, total, 0)
    assert report.first_mismatches == []
    steps = [after - before for (before, _), (after, _) in pairwise(counts)]
    assert sorted(steps) == [1, CHUNK, CHUNK]
    assert {of for _, of in counts} == {total}
    assert notes == []


def test_only_the_first_mismatches_are_described(files):
    report, *_ = check(files(ROW.replace("4.0", "3.5") * (EXAMPLES + 2)))
    assert (report.mismatches, report.unreachable) == (EXAMPLES + 2, 0)
    assert (
        report.first_mismatches
        == ["from (0, 0) to (4, 0), optimum 3.5: the path found has length 4.000000"] * EXAMPLES
    )


def test_a_goal_that_cannot_be_reached_is_a_mismatch(files):
    report, *_ = check(files(ROW.replace("\t4\t0\t4.0", "\t4\t3\t9.0")))
    assert (report.answered, report.unreachable, report.mismatches) == (1, 1, 1)
    assert report.first_mismatches == ["from (0, 0) to (4, 3), optimum 9.0: no path was found"]


def test_queries_for_a_scaled_map_are_checked_on_one(files):
    report, _, notes = check(files(ROW.replace("5\t4\t0\t0\t4\t0\t4.0", "10\t8\t0\t0\t9\t0\t9.0")))
    assert (report.answered, report.mismatches) == (1, 0)
    assert len(notes) == 1


def test_files_that_hold_no_map_or_no_queries_are_refused(files, tmp_path):
    map_file, scen_file = files("")
    with pytest.raises(ScenError, match="line 2: expected a query, found the end"):
        check((map_file, scen_file))
    with pytest.raises(MapError, match=r"gone\.map"):
        check((tmp_path / "gone.map", scen_file))


@pytest.mark.parametrize(
    ("cells", "cost"),
    [
        ([0], 0.0),
        ([0, 3, 7], 1.0 + SQRT2),
        ([0, 1, 4], None),  # into a wall
        ([0, 4], None),  # cuts a corner
        ([0, 3, 3, 4], None),  # a step to the same cell
        ([0, 3, 4, 5, 8, 4], None),  # into water
    ],
)
def test_a_path_costs_the_sum_of_its_steps_if_all_are_legal(cells, cost):
    assert path_cost(WALL, cells) == cost


@pytest.mark.parametrize(
    ("optimum", "cost", "matches"),
    [
        (10.0, 10.0105, True),
        (10.0, 9.98, False),
        (10.0, 10.02, False),
        (10_000.0, 10_000.05, True),
        (10_000.0, 10_000.07, False),
        (math.inf, 10.0, False),
    ],
)
def test_a_cost_matches_within_the_printed_digits_of_the_optimum(optimum, cost, matches):
    assert query_matches(Query(0, 0, optimum), cost) is matches
