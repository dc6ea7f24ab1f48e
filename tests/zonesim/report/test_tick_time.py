from __future__ import annotations

from zonesim.report import tick_time
from zonesim.results.saved_run import summarise


def test_lines_show_the_percentiles_of_the_summary(make_run, axes_of):
    run = make_run([1, 5, 20])
    lines = {
        line.get_label(): list(line.get_ydata())
        for line in axes_of(tick_time.draw, run).get_lines()
    }
    for name in ("p50", "p95", "p99", "max"):
        assert lines[name] == [getattr(step.response_ms, name) for step in summarise(run).steps]


def test_the_period_is_a_line(make_run, axes_of):
    found = axes_of(tick_time.draw, make_run([1]))
    assert any(set(line.get_ydata()) == {400.0} for line in found.get_lines())
    assert "period 400 ms" in [text.get_text() for text in found.texts]


def test_late_ticks_are_counted_below_their_step(make_run, axes_of):
    found = axes_of(
        tick_time.draw,
        make_run([1, 2], took_ms=lambda zone, tick: 900 if zone and tick == 0 else 2),
    )
    labels = [label.get_text() for label in found.get_xticklabels()]
    assert labels == ["1\nnone late", "2\n1 late\n(5 %)"]


def test_nothing_is_called_late_where_nothing_was_due(make_run, axes_of):
    found = axes_of(tick_time.draw, make_run([1], pace="max", took_ms=lambda zone, tick: 900))
    assert [label.get_text() for label in found.get_xticklabels()] == ["1"]
    assert "none was due" in found.get_xlabel()


def test_line_ends_are_named_with_their_own_figures_though_pushed_apart(make_run, axes_of):
    found = axes_of(tick_time.draw, make_run([2], took_ms=lambda zone, tick: 0))
    names = {text.get_text(): text.xy[1] for text in found.texts if text.get_text() != "period"}
    heights = [names[f"{name}  0 ms"] for name in ("p50", "p95", "p99", "max")]
    assert heights == sorted(set(heights))
