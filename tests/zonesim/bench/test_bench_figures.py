"""The pictures of the spectrum and the ladder, from made-up rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from zonesim.bench.ladder.command import draw
from zonesim.bench.ladder.steps import PLAIN, PLAIN_COLLECTED, STEPS, ladder_rows
from zonesim.bench.plan import ORIGINAL, PLAN, SWITCH_US, TICK_MS
from zonesim.bench.program import CHAINS
from zonesim.bench.rows import Row, alone, beside
from zonesim.bench.spectrum import figure as spectrum
from zonesim.bench.spectrum.impact import DIRECT
from zonesim.bench.spectrum.patterns import AT_ONCE, CHAINED
from zonesim.bench.suite import Options, Report, Setting

SAMPLES = [[2.0, 3.0], [1.0, 9.0]]
SWITCHES_US = {
    "as it should be": [50, 25, 20, 19, 15, 2, 1.5, 0.5, 1.4, 1.2],
    "all alike": [3] * 10,
    "up again": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    "below nothing": [5, 4, 3, 2, 1, 0, -0.05, -0.1, -0.1, 0],
    "as slow as the plan": [23_338, 1_000, 500, 200, 100, 50, 10, 5, 4, 3],
}


def report_of(bench: str, rows: list[Row]) -> Report:
    return Report(
        bench=bench,
        utc="2026-11-23T10:15:00Z",
        machine={"cpu": "Abacus 3", "cpus_usable": 2},
        versions={"python": "3.11.2", "zonesim": "0.1.0"},
        options=Options([]),
        amounts={},
        load=(0.0, 0.0, 0.0),
        rows=rows,
    )


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """All figures that are saved in a test."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: object, **options: object) -> None:
        figure.draw_without_rendering()
        kept.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def assert_apart(figure: Figure, texts: list, edges: str) -> None:
    """No two texts overlap along an axis, and all are on the page."""
    low, high = edges
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    boxes.sort(key=lambda box: getattr(box, low))
    assert not any(getattr(a, high) > getattr(b, low) for a, b in pairwise(boxes))
    width, height = figure.canvas.get_width_height()
    assert all(0 <= box.x0 <= box.x1 <= width and 0 <= box.y0 <= box.y1 <= height for box in boxes)


# -- spectrum


@pytest.fixture
def spectrum_rows() -> list[Row]:
    switch = alone("patterns", AT_ONCE, "us", SAMPLES)
    return [
        beside(switch, PLAN, 22_153.0),
        beside(switch, ORIGINAL, 3.0),
        beside(alone("patterns", f"{AT_ONCE}: impact", "ms", SAMPLES), PLAN, 43_862.0),
        alone("patterns", CHAINED, "us", SAMPLES),
        beside(alone("impact", DIRECT, "ms", SAMPLES), ORIGINAL, 0.93),
        alone("bursts", "elsewhere", "us", SAMPLES),
    ]


def test_a_spectrum_shows_every_operation_and_tick_with_published_figures_and_targets(
    spectrum_rows, figures, tmp_path
):
    path = spectrum.draw(report_of("spectrum", spectrum_rows), tmp_path / "spectrum.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    [figure] = figures
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert names == [[AT_ONCE, CHAINED], [DIRECT]]
    marks = {float(x) for line in figure.axes[0].lines for x in line.get_xdata()[:1]}
    assert {2.5, 3.0, 22_153.0} <= marks
    switch, chained = spectrum.lines_of(spectrum_rows, "us")
    (tick,) = spectrum.lines_of(spectrum_rows, "ms")
    assert (switch.levels, chained.levels, tick.levels) == (SWITCH_US, None, TICK_MS)
    low, high = figure.axes[0].get_xlim()
    assert all(low < value < high for value in switch.values())
    origin = figure.texts[1].get_text()
    for part in ("zonesim bench spectrum", "2 workers", "Abacus 3, 2 CPUs", "Python 3.11.2"):
        assert part in origin


def test_no_text_of_a_spectrum_overlaps_another(spectrum_rows, figures, tmp_path):
    many = [alone("zones", f"a zone of {n} things in one tick", "us", SAMPLES) for n in range(9)]
    spectrum.draw(report_of("spectrum", spectrum_rows + many), tmp_path / "spectrum.png")
    [figure] = figures
    for axes in figure.axes:
        assert_apart(figure, axes.get_yticklabels(), ("y0", "y1"))
        assert_apart(figure, axes.texts, ("y0", "y1"))


def test_a_spectrum_without_rows_says_so(figures, tmp_path):
    spectrum.draw(report_of("spectrum", []), tmp_path / "spectrum.png")
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["nothing was measured"]


# -- ladder


def ladder_report(switches_us: list[float]) -> Report:
    ticks = {
        step.number: 400.0 + CHAINS * switch
        for step, switch in zip(STEPS, switches_us, strict=True)
    }
    ticks |= {PLAIN: 400.0, PLAIN_COLLECTED: 400.0}
    samples = {f"{name}: us": [[tick]] for name, tick in ticks.items()}
    samples |= {f"{step.number}: messages": [[396.0]] for step in STEPS}
    parts = ladder_rows("numbers", samples, Setting(2, True))
    return report_of("ladder", [part for part in parts if isinstance(part, Row)])


@pytest.mark.parametrize("shape", SWITCHES_US)
def test_every_shape_of_ladder_fits_its_page_and_no_labels_touch(shape, figures, tmp_path) -> None:
    [path] = draw(ladder_report(SWITCHES_US[shape]), tmp_path)
    assert path.name == "waterfall_numbers.png"
    assert imread(path).shape[:2] == (902, 1210)
    [figure] = figures
    for axes in figure.axes:
        frame = axes.get_window_extent()
        boxes = [label.get_window_extent() for label in axes.texts]
        assert all(frame.y0 <= box.y0 < box.y1 <= frame.y1 for box in boxes)
    assert_apart(figure, figure.axes[1].get_xticklabels(), ("x0", "x1"))


def test_every_bar_starts_at_the_rung_below_and_shows_its_figure_and_the_plan_s(
    figures, tmp_path
) -> None:
    draw(ladder_report(SWITCHES_US["as it should be"]), tmp_path)
    upper, lower = figures[0].axes
    switches = ["50", "25", "20", "19", "15", "2", "1.5", "0.5", "1.4", "1.2"]
    plan = ["23,338", "1,000", "500", "200", "100", "50", "10"]
    assert sorted(text.get_text() for text in upper.texts) == sorted(switches + plan)
    tops = [bar.get_y() + bar.get_height() for bar in upper.patches]
    assert tops == pytest.approx([50, 50, 25, 20, 19, 15, 2, 1.5, 1.5, 1.4])
    labels = [text.get_text() for text in lower.get_xticklabels()]
    assert labels[0].endswith("19 zones\nplan 20")
    assert labels[8].startswith("4 (on 2.5)\n")
    assert labels[-1].endswith("457 zones\nplan 100")
