from __future__ import annotations

from zonesim.report import distribution


def test_each_step_has_a_box_with_its_median_beside_it(make_run, axes_of):
    found = axes_of(
        distribution.draw, make_run([1, 2], ticks=11, took_ms=lambda zone, tick: 1 + tick)
    )
    assert len(found.patches) == 2
    assert [text.get_text() for text in found.texts if "period" not in text.get_text()] == ["6"] * 2


def test_every_tick_beyond_the_whiskers_is_a_point(make_run, axes_of):
    found = axes_of(
        distribution.draw,
        make_run([1], ticks=1_000, took_ms=lambda zone, tick: 60 if tick < 5 else 2),
    )
    (points,) = [line for line in found.get_lines() if line.get_marker() == "o"]
    assert list(points.get_ydata()) == [60] * 5
    assert all(abs(x) < 0.2 for x in points.get_xdata())


def test_a_step_without_ticks_leaves_its_place_empty(make_run, axes_of):
    run = make_run([1, 2, 5])
    run.steps[1].rows.clear()
    found = axes_of(distribution.draw, run)
    assert len(found.patches) == 2
    assert [label.get_text().split("\n") for label in found.get_xticklabels()][1] == [
        "2",
        "0 ticks",
    ]
