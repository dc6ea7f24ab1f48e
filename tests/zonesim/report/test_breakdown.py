from __future__ import annotations

import msgspec
import pytest

from zonesim.report import breakdown
from zonesim.results.saved_run import summarise


def heights(axes) -> dict[str, list[float]]:
    return {part.get_label(): [bar.get_height() for bar in part] for part in axes.containers}


def test_the_parts_stack_up_to_the_mean_tick(make_run, axes_of):
    run = make_run([1, 5, 20])
    parts = heights(axes_of(breakdown.draw, run))
    assert list(parts) == ["step", "encode", "wait", "resume", "gc", "other"]
    for at, step in enumerate(summarise(run).steps):
        assert sum(values[at] for values in parts.values()) == pytest.approx(step.tick_ms.mean)


def test_the_total_stands_above_each_bar(make_run, axes_of):
    found = axes_of(breakdown.draw, make_run([1, 2], took_ms=lambda zone, tick: 2.5))
    assert [text.get_text() for text in found.texts] == ["2.5", "2.5"]
    assert [text.xy[1] for text in found.texts] == pytest.approx([2.5, 2.5])


def test_parts_that_overlap_show_a_rest_below_zero(make_run, axes_of):
    run = make_run([1], took_ms=lambda zone, tick: 2.0)
    step = run.steps[0]
    rows = [msgspec.structs.replace(row, step_ns=2_000_000) for row in step.rows]
    overlap = msgspec.structs.replace(run, steps=[msgspec.structs.replace(step, rows=rows)])
    found = axes_of(breakdown.draw, overlap)
    assert heights(found)["other"][0] < 0
    assert found.get_ylim()[0] < 0
