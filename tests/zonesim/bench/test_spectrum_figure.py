"""The picture of a spectrum, from made-up rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from zonesim.bench import spectrum_figure as spectrum
from zonesim.bench.figures import Comparison, Row, alone, beside
from zonesim.bench.launches import ratio
from zonesim.bench.plan import IMPACT_MS, ORIGINAL, PLAN, SWITCH_US
from zonesim.bench.suite import Options, Report

SWITCH = "Task->AsyncTask, 1,980 in a tick"
TICK = "1 direct: a tick of 1,980"
SAMPLES = [[2.0, 3.0], [1.0, 9.0]]


def report_of(rows: list[Row]) -> Report:
    return Report(
        bench="spectrum",
        utc="2026-11-23T10:15:00Z",
        machine={"cpu": "Abacus 3", "cpus_usable": 2},
        versions={"python": "3.11.2", "zonesim": "0.1.0"},
        options=Options(["patterns"]),
        amounts={},
        load=(0.0, 0.0, 0.0),
        rows=rows,
        complete=True,
    )


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    switch = alone("patterns", SWITCH, "us", SAMPLES)
    tick = alone("impact", TICK, "ms", SAMPLES)
    return [
        beside(switch, PLAN, 22_153.0),
        beside(switch, ORIGINAL, 3.0),
        beside(alone("patterns", f"{SWITCH}: impact", "ms", SAMPLES), PLAN, 43_862.0),
        alone("queue", "tick with nothing to do", "us", SAMPLES),
        beside(tick, ORIGINAL, 0.93),
        Comparison("impact", "disagreement: 3 sampled", "1 direct", "ms", ratio).row(
            SAMPLES, SAMPLES
        ),
        Comparison("core", "ours", "theirs", "us", ratio).row(SAMPLES, SAMPLES),
    ]


def draw(report: Report, path: Path) -> Figure:
    """The figure, laid out as it is saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: object, **options: object) -> None:
        figure.draw_without_rendering()
        figures.append(figure)
        save(figure, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", keep)
        assert spectrum.draw(report, path) == path
    [figure] = figures
    return figure


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn") / "spectrum.png"


@pytest.fixture(scope="module")
def drawn(rows: list[Row], picture: Path) -> Figure:
    """The figure of these rows, drawn once."""
    return draw(report_of(rows), picture)


def labels(figure: Figure) -> list[list[str]]:
    return [[text.get_text() for text in axes.get_yticklabels()] for axes in figure.axes]


def x_of_marks(figure: Figure, panel: int) -> list[float]:
    return sorted(float(x) for line in figure.axes[panel].lines for x in line.get_xdata()[:1])


def test_operations_and_ticks_have_a_panel_each_and_every_row_a_line(drawn, picture):
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert labels(drawn) == [[SWITCH, "tick with nothing to do"], [TICK]]


def test_ours_stands_beside_what_is_published_of_the_same_thing(drawn):
    marks = x_of_marks(drawn, 0)
    assert {2.5, 3.0, 22_153.0} <= set(marks)
    assert {2.5, 0.93} <= set(x_of_marks(drawn, 1))


def test_a_row_with_targets_has_a_line_for_each_of_them(rows):
    switch, nothing = spectrum.lines_of(rows, "us")
    (tick,) = spectrum.lines_of(rows, "ms")
    assert (switch.levels, nothing.levels, tick.levels) == (SWITCH_US, None, IMPACT_MS)
    assert switch.published == {PLAN: 22_153.0, ORIGINAL: 3.0}
    assert switch.row.ours == 2.5


def test_all_points_and_the_upper_ends_of_intervals_are_on_the_axes(rows, drawn):
    for axes, unit in zip(drawn.axes, ("us", "ms"), strict=True):
        low, high = axes.get_xlim()
        for line in spectrum.lines_of(rows, unit):
            assert all(low < value < high for value in line.values())


def boxes(texts: Sequence[object]) -> list[object]:
    return [text.get_window_extent() for text in texts if text.get_text()]


def test_no_text_runs_into_another_or_out_of_the_page(rows, tmp_path):
    many = [alone("storms", f"a storm of {n} things in one tick", "us", SAMPLES) for n in range(9)]
    figure = draw(report_of(rows + many), tmp_path / "spectrum.png")
    width, height = figure.canvas.get_width_height()
    for axes in figure.axes:
        for column in (axes.get_yticklabels(), axes.texts):
            rows_of_text = sorted(boxes(column), key=lambda box: box.y0)
            assert not any(low.y1 > high.y0 for low, high in pairwise(rows_of_text))
            assert all(0 <= box.x0 <= box.x1 <= width for box in rows_of_text)
    legend = figure.axes[0].get_legend().get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= width
    assert legend.y1 <= min(box.y0 for box in boxes(figure.texts)) <= height


def test_a_report_without_anything_to_draw_says_so(tmp_path):
    figure = draw(report_of([]), tmp_path / "spectrum.png")
    assert [text.get_text() for text in figure.axes[0].texts] == ["nothing was measured"]


def test_the_picture_names_bench_machine_and_versions(drawn):
    origin = drawn.texts[1].get_text()
    for part in ("zonesim bench spectrum", "2 workers", "Abacus 3, 2 CPUs", "Python 3.11.2"):
        assert part in origin
