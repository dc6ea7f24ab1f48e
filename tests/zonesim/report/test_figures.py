from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from zonesim.report import style as plot_style
from zonesim.report.figures import FIGURES, draw_all
from zonesim.results.saved_run import OutputError, Run

SHAPES = {
    "one zone": {"zones": [1]},
    "up to a hundred zones": {"zones": [1, 2, 5, 10, 20, 50, 100], "ticks": 4},
    "many steps": {"zones": list(range(10, 40)), "ticks": 2},
    "the same zones twice": {"zones": [5, 5]},
    "a single tick": {"zones": [1], "ticks": 1},
    "no time at all": {"zones": [1, 2], "took_ms": lambda zone, tick: 0.0},
    "always the same": {"zones": [1, 2], "took_ms": lambda zone, tick: 3.0},
    "always too slow": {"zones": [1, 2], "took_ms": lambda zone, tick: 900.0},
    "no tick": {"zones": [1, 2], "ticks": 0},
    "no step": {"zones": []},
    "back to back": {"zones": [1, 3], "pace": "max"},
    "a formula as a name": {"zones": [1], "scenario": "$\\frac{1}$_^ " + "long " * 30},
}


class Drawn(NamedTuple):
    """The files of a run's figures, and the figures, to look at what stands in them."""

    paths: list[Path]
    figures: list[Figure]


def draw(run: Run, folder: Path) -> Drawn:
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: object, **options: object) -> None:
        figures.append(figure)
        save(figure, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", keep)
        return Drawn(draw_all(run, folder), figures)


@pytest.fixture(scope="module")
def drawn(make_run, tmp_path_factory) -> Callable[[str], Drawn]:
    """Give the figures of a shape of run, which are drawn once."""
    return cache(lambda shape: draw(make_run(**SHAPES[shape]), tmp_path_factory.mktemp("drawn")))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_run_gives_four_figures_that_fit_their_page(drawn, shape):
    paths, figures = drawn(shape)
    assert [path.name for path in paths] == list(FIGURES)
    for path in paths:
        height, width = imread(path).shape[:2]
        assert (width, height) == (1056, 616)
    titles = [figure.texts[0] for figure in figures]
    origins = [figure.texts[1] for figure in figures]
    for text in titles + origins:
        assert text.get_window_extent().x1 <= text.figure.bbox.x1


@pytest.mark.parametrize("shape", ["one zone", "up to a hundred zones", "always too slow"])
def test_nothing_is_cut_by_the_edge_of_the_page(drawn, shape):
    for figure in drawn(shape).figures:
        used, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(used.x0, used.y0) >= 0
        assert (used.x1 <= width, used.y1 <= height) == (True, True)


def test_labels_of_many_steps_do_not_touch(drawn):
    for figure in drawn("many steps").figures:
        labels = [text for text in figure.axes[0].get_xticklabels() if text.get_text()]
        boxes = [text.get_window_extent() for text in labels]
        assert not any(left.x1 > right.x0 for left, right in pairwise(boxes))


def test_the_title_names_scenario_seed_machine_and_version(drawn):
    for figure in drawn("one zone").figures:
        origin = figure.texts[1].get_text()
        for part in ("scale", "seed 1", "Abacus 3, 2 CPUs", "Python 3.11.2", "corororo 0.1.0"):
            assert part in origin


def test_the_same_run_is_drawn_the_same_twice(drawn, make_run, tmp_path):
    again = draw_all(make_run(**SHAPES["back to back"]), tmp_path)
    assert [path.read_bytes() for path in again] == [
        path.read_bytes() for path in drawn("back to back").paths
    ]


def test_a_figure_that_cannot_be_written_is_refused_in_one_line(make_run, tmp_path):
    with pytest.raises(OutputError, match=r"tick_time\.png: cannot be written") as refusal:
        draw_all(make_run([1]), tmp_path / "absent")
    assert "\n" not in str(refusal.value)


def test_drawing_needs_no_display_and_no_pyplot():
    code = "import sys, zonesim.report.figures; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001, "0.001"), (1.0726, "1.07"), (13.66, "13.7"), (1e3, "1,000")],
)
def test_figures_are_written_with_three_digits_and_no_exponent(value, text):
    assert plot_style.plain(value) == text


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 3), (1, 400), (0.2, 90_000)])
def test_a_log_axis_spans_a_decade_and_holds_its_values(low, high):
    axes = Figure().add_subplot()
    plot_style.log_ms_axis(axes, low, high, "ms")
    bottom, top = axes.get_ylim()
    assert bottom < plot_style.floored([low])[0] <= plot_style.floored([high])[0] < top
    assert np.log10(top / bottom) >= 1
