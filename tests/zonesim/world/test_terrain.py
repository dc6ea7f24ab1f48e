from __future__ import annotations

import pytest

from zonesim.world.map import BLOCKED, SQRT2, map_of_rows


@pytest.mark.parametrize("character", "GS.")
def test_all_kinds_of_ground_are_connected(character):
    assert map_of_rows([f".{character}"], "m").step_cost(0, 0, 1, 0) == 1.0


def test_ground_and_water_are_never_connected():
    shore = map_of_rows([".W", "WW"], "m")
    assert shore.passable(0, 0)
    assert shore.passable(1, 0)
    assert list(shore.steps_from(0)) == []
    assert list(shore.steps_from(1)) == [(3, 1.0)]  # not to (0, 1): that cuts the shore


def test_a_diagonal_step_needs_both_of_its_sides():
    assert map_of_rows(["..", ".."], "m").step_cost(0, 0, 1, 1) == SQRT2
    assert map_of_rows([".@", ".."], "m").step_cost(0, 0, 1, 1) is None
    assert map_of_rows(["..", "@."], "m").step_cost(0, 0, 1, 1) is None
    assert map_of_rows(["..", "W."], "m").step_cost(0, 0, 1, 1) is None


def test_only_steps_to_neighbours_are_legal():
    row = map_of_rows(["..."], "m")
    assert row.step_cost(0, 0, 0, 0) is None
    assert row.step_cost(0, 0, 2, 0) is None


def test_everything_outside_the_map_is_blocked():
    one = map_of_rows(["."], "m")
    assert {one.terrain_class(x, y) for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1))} == {BLOCKED}
    assert list(one.steps_from(0)) == []


def test_cells_are_numbered_row_by_row():
    game_map = map_of_rows(["...", "..."], "m")
    assert game_map.cell(2, 1) == 5
    assert game_map.position(5) == (2, 1)
