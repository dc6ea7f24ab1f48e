from __future__ import annotations

import msgspec
import numpy as np
import pytest

from zonesim.report import heatmap


@pytest.fixture
def grid(axes_of):
    """Give a drawer that hands back the cells of the picture, masked where they are grey."""
    return lambda run: np.ma.masked_invalid(axes_of(heatmap.draw, run).images[0].get_array())


def test_each_zone_and_period_has_a_cell_with_its_response_time(make_run, grid):
    cells = grid(make_run([3], ticks=4, took_ms=lambda zone, tick: 1 + zone * 10 + tick))
    assert cells.tolist() == [[1, 2, 3, 4], [11, 12, 13, 14], [21, 22, 23, 24]]


def test_steps_stand_end_to_end_and_absent_zones_are_grey(make_run, grid):
    cells = grid(make_run([1, 2], ticks=3, took_ms=lambda zone, tick: 5.0))
    assert cells.shape == (2, 6)
    assert cells.mask.tolist() == [[False] * 6, [True] * 3 + [False] * 3]


def test_a_tick_that_never_ran_is_grey(make_run, grid):
    run = make_run([1], ticks=5)
    del run.steps[0].rows[2]
    assert grid(run).mask.tolist() == [[False, False, True, False, False]]


def test_a_cell_of_many_ticks_shows_the_slowest(make_run, grid):
    ticks = 1_000
    cells = grid(make_run([1], ticks=ticks, took_ms=lambda zone, tick: 99 if tick == 500 else 2))
    assert cells.shape[1] <= 400
    assert cells.max() == 99


def test_hundreds_of_zones_share_lines_and_keep_the_slowest(make_run, grid):
    cells = grid(make_run([450], ticks=2, took_ms=lambda zone, tick: 99 if zone == 301 else 2))
    assert cells.shape == (150, 2)
    assert cells[100].tolist() == [99, 99]


def test_ticks_without_a_schedule_are_placed_by_their_start(make_run, grid):
    run = make_run([1], ticks=3, pace="max")
    step = run.steps[0]
    rows = [msgspec.structs.replace(row, scheduled_ns=0) for row in step.rows]
    cells = grid(msgspec.structs.replace(run, steps=[msgspec.structs.replace(step, rows=rows)]))
    assert cells.count() == 3
