from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zonesim.world.grid import NO_PLAYER, Grid

WIDTH, HEIGHT = 230.0, 140.0
points = st.tuples(st.floats(0, WIDTH, exclude_max=True), st.floats(0, HEIGHT, exclude_max=True))


def squared(a, b):
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def built(placed):
    grid = Grid(WIDTH, HEIGHT)
    grid.rebuild([x for x, _ in placed], [y for _, y in placed])
    return grid


@given(st.lists(points, max_size=12), points)
def test_the_nearest_is_the_nearest_of_all_within_50_units(placed, here):
    found = built(placed).nearest(*here)
    near = [squared(point, here) for point in placed if squared(point, here) <= 2_500]
    if near:
        assert squared(placed[found], here) == min(near)
        assert found == [squared(point, here) for point in placed].index(min(near))
    else:
        assert found == NO_PLAYER


def test_exactly_50_units_is_near_and_more_is_not():
    grid = built([(100.0, 20.0)])
    assert grid.nearest(50.0, 20.0) == 0
    assert grid.nearest(49.99, 20.0) == NO_PLAYER


@given(st.lists(points, max_size=6), st.lists(points, max_size=6), points)
def test_a_rebuild_forgets_what_was_there(before, after, here):
    grid = built(before)
    grid.rebuild([x for x, _ in after], [y for _, y in after])
    assert grid.nearest(*here) == built(after).nearest(*here)
