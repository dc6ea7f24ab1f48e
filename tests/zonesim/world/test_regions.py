from __future__ import annotations

import pytest

from zonesim.world.make import keep_largest_ground


def kept(*rows):
    cells = [bytearray(row, "ascii") for row in rows]
    size = keep_largest_ground(cells, ord("."), ord("@"))
    return size, [row.decode() for row in cells]


def test_only_the_largest_region_stays_ground():
    assert kept("..@.", "@@@.", "...@") == (3, ["@@@@", "@@@@", "...@"])


def test_regions_that_touch_at_a_corner_are_apart():
    assert kept(".@", "@.") == (1, [".@", "@@"])


def test_the_ends_of_rows_are_not_neighbours():
    size, rows = kept("@@.", ".@@")
    assert size == 1
    assert rows == ["@@.", "@@@"]


def test_water_and_trees_stay_as_they_are():
    assert kept(".WT.", "..T@") == (3, [".WT@", "..T@"])


@pytest.mark.parametrize("rows", [("@",), ("W@", "T@")])
def test_a_map_without_ground_has_no_region(rows):
    assert kept(*rows) == (0, list(rows))
