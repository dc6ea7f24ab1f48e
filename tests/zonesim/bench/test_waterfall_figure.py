from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from zonesim.bench import ladder
from zonesim.bench import waterfall_figure as waterfall
from zonesim.bench.core import CHAINS
from zonesim.bench.ladder_rows import rows
from zonesim.bench.ladder_steps import STEPS
from zonesim.bench.suite import Options, Report
from zonesim.results.saved_run import OutputError

PLAIN_US = 400.0
SWITCHES_US = {
    "as it should be": [50, 25, 20, 19, 15, 2, 1.5, 0.5, 1.4, 1.2],
    "all alike": [3] * 10,
    "up again": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    "below nothing": [5, 4, 3, 2, 1, 0, -0.05, -0.1, -0.1, 0],
    "as slow as the plan": [23_338, 1_000, 500, 200, 100, 50, 10, 5, 4, 3],
}


def report_of(switches_us: list[float]) -> Report:
    figures = {
        step.number: PLAIN_US + CHAINS * switch
        for step, switch in zip(STEPS, switches_us, strict=True)
    }
    figures |= {"plain": PLAIN_US, "plain, collected between": PLAIN_US}
    samples = {name: [[figure]] for name, figure in figures.items()}
    messages = {step.number: [[396.0]] for step in STEPS}
    return Report(
        bench="ladder",
        utc="2026-11-23T10:15:00+00:00",
        machine={"cpu": "Abacus 3", "cpus_usable": 2},
        versions={"python": "3.11.2", "zonesim": "0.1.0"},
        options=Options(["numbers"]),
        amounts={},
        load=(0.0, 0.0, 0.0),
        rows=rows("numbers", samples, messages),
    )


def draw(folder: Path, shape: str) -> Path:
    return waterfall.draw(report_of(SWITCHES_US[shape]), "numbers", folder / "waterfall.png")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Figure]]:
    """Give the picture of a shape of ladder and its figure, which is drawn once."""
    save = Figure.savefig

    @cache
    def drawn(shape: str) -> tuple[Path, Figure]:
        figures: list[Figure] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                Figure,
                "savefig",
                lambda figure, *a, **b: figures.append(figure) or save(figure, *a, **b),
            )
            path = draw(tmp_path_factory.mktemp("drawn"), shape)
        return path, figures[0]

    return drawn


@pytest.fixture
def figure_of(drawn: Callable[[str], tuple[Path, Figure]]) -> Callable[[str], Figure]:
    return lambda shape: drawn(shape)[1]


@pytest.mark.parametrize("shape", SWITCHES_US)
def test_every_shape_of_ladder_fits_its_page_and_no_labels_touch(drawn, shape) -> None:
    path, figure = drawn(shape)
    height, width = imread(path).shape[:2]
    assert (width, height) == (1210, 902)
    used, (inches_wide, inches_high) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(used.x0, used.y0) >= 0
    assert (used.x1 <= inches_wide, used.y1 <= inches_high) == (True, True)
    for axes in figure.axes:
        frame = axes.get_window_extent()
        for label in axes.texts:
            box = label.get_window_extent()
            assert frame.y0 <= box.y0 < box.y1 <= frame.y1
    names = [text.get_window_extent() for text in figure.axes[1].get_xticklabels()]
    assert len(names) == len(STEPS)
    assert not any(left.x1 > right.x0 for left, right in pairwise(names))


def test_every_bar_says_what_it_reached_and_what_the_plan_wanted(figure_of) -> None:
    figure = figure_of("as it should be")
    upper, lower = figure.axes
    switches = ["50", "25", "20", "19", "15", "2", "1.5", "0.5", "1.4", "1.2"]
    plan = ["23,338", "1,000", "500", "200", "100", "50", "10"]
    texts = [text.get_text() for text in upper.texts]
    assert sorted(texts) == sorted(switches + plan)
    assert {"118,764", "5,000", "500", "250", "200", "150"} <= {t.get_text() for t in lower.texts}
    labels = [text.get_text() for text in lower.get_xticklabels()]
    assert labels[0].endswith("19 zones\nplan 20")
    assert labels[-1].endswith("457 zones\nplan 100")
    assert labels[8].startswith("4 (on 2.5)\n")


def test_a_bar_hangs_from_the_rung_it_is_built_on(figure_of) -> None:
    figure = figure_of("as it should be")
    bars = figure.axes[0].patches
    tops = [bar.get_y() + bar.get_height() for bar in bars]
    assert tops == pytest.approx([50, 50, 25, 20, 19, 15, 2, 1.5, 1.5, 1.4])
    assert [bar.get_y() for bar in bars[1:]] == pytest.approx(
        [25, 20, 19, 15, 2, 1.5, 0.5, 1.4, 1.2]
    )


def test_what_a_rung_puts_on_top_has_a_colour_of_its_own(figure_of) -> None:
    up, down = (figure_of(shape).axes[0].patches[1:] for shape in ("up again", "as it should be"))
    assert {bar.get_facecolor() for bar in up}.isdisjoint(bar.get_facecolor() for bar in down)


def test_the_title_names_workload_machine_and_version(figure_of) -> None:
    origin = figure_of("all alike").texts[1].get_text()
    for part in ("ladder", "numbers", "2 workers", "Abacus 3, 2 CPUs", "zonesim 0.1.0"):
        assert part in origin


def test_each_workload_of_a_report_has_a_picture(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    report = report_of(SWITCHES_US["all alike"])
    assert [path.name for path in ladder.draw(report, tmp_path)] == ["waterfall_numbers.png"]


def test_a_picture_that_cannot_be_written_is_refused_in_one_line(tmp_path) -> None:
    with pytest.raises(OutputError, match="cannot be written") as refusal:
        draw(tmp_path / "absent", "all alike")
    assert "\n" not in str(refusal.value)
