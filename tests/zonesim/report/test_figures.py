from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import made_up_run
import matplotlib as mpl
import numpy as np
import pytest
from made_up_run import MS, run_info, step_info
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from msgspec.structs import replace

from zonesim.report import breakdown, distribution, heatmap, style, tick_time
from zonesim.report.page import FIGURES, draw_all
from zonesim.results.saved_run import Run, StepData, summarise
from zonesim.wire.messages import TickRow

CHECKOUT = str(Path(__file__).parents[3])
TickTime = Callable[[int, int], float]  # zone, tick -> ms


def tick_row(zone: int, tick: int, phase_ms: float, took_ms: float) -> TickRow:
    scheduled_ns = 10**15 + int((tick * 400 + phase_ms) * MS)
    took_ns = int(took_ms * MS)
    return made_up_run.row(
        zone,
        tick,
        scheduled_ns=scheduled_ns,
        started_ns=scheduled_ns,
        finished_ns=scheduled_ns + took_ns,
        late=took_ms > 400,
        missed=0,
        waiting_ns=took_ns * 4 // 10,
        step_ns=took_ns * 3 // 10,
        encode_ns=took_ns // 10,
        resume_ns=took_ns // 10,
        gc_ns=took_ns // 100,
    )


def uneven(zone: int, tick: int) -> float:
    return 50.0 if (zone * 7 + tick) % 97 == 0 else 1 + (zone * 31 + tick * 17) % 40 / 10


def make_run(
    zones: Sequence[int],
    *,
    ticks: int = 10,
    took_ms: TickTime = uneven,
    pace: str = "realtime",
    scenario: str = "scale",
) -> Run:
    steps = [
        StepData(
            info=replace(step_info(step, count), pace=pace, duration_s=ticks * 0.4),
            pss_mb_per_zone=5.0,
            workers=[],
            rows=[
                tick_row(zone, tick, 400 * zone / count, took_ms(zone, tick))
                for zone in range(count)
                for tick in range(ticks)
            ],
        )
        for step, count in enumerate(zones, start=1)
    ]
    return Run(info=run_info(scenario=scenario), steps=steps, events=[])


def with_rows(run: Run, **changes: object) -> Run:
    step = run.steps[0]
    return replace(run, steps=[replace(step, rows=[replace(row, **changes) for row in step.rows])])


SHAPES = {
    "one zone": {"zones": [1]},
    "up to a hundred zones": {"zones": [1, 2, 5, 10, 20, 50, 100], "ticks": 4},
    "many steps": {"zones": list(range(10, 40)), "ticks": 2},
    "no time at all": {"zones": [1, 2], "took_ms": lambda zone, tick: 0.0},
    "always too slow": {"zones": [1, 2], "took_ms": lambda zone, tick: 900.0},
    "no tick": {"zones": [1, 2], "ticks": 0},
    "no step": {"zones": []},
    "back to back": {"zones": [1, 3], "pace": "max"},
    "a formula as a name": {"zones": [1], "scenario": "$\\frac{1}$_^ " + "long " * 30},
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Callable[[str], list[Figure]]:
    """Draw the figures of a shape of run, once."""

    def draw(shape: str) -> list[Figure]:
        figures: list[Figure] = []
        save = Figure.savefig

        def keep(figure: Figure, *args: object, **options: object) -> None:
            figures.append(figure)
            save(figure, *args, **options)

        folder = tmp_path_factory.mktemp("drawn")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Figure, "savefig", keep)
            draw_all(make_run(**SHAPES[shape]), folder)
        for name in FIGURES:
            assert imread(folder / f"{name}.png").shape[:2] == (616, 1056)
        return figures

    return cache(draw)


def axes_of(draw, run: Run) -> Axes:
    axes = Figure().add_subplot()
    draw(axes, run, summarise(run).steps)
    return axes


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_run_gives_four_figures_whose_titles_fit(drawn, shape):
    figures = drawn(shape)
    assert len(figures) == len(FIGURES)
    for figure in figures:
        for text in figure.texts[:2]:
            assert text.get_window_extent().x1 <= figure.bbox.x1


def test_labels_of_many_steps_do_not_touch(drawn):
    for figure in drawn("many steps"):
        labels = [text for text in figure.axes[0].get_xticklabels() if text.get_text()]
        boxes = [text.get_window_extent() for text in labels]
        assert not any(left.x1 > right.x0 for left, right in pairwise(boxes))


def test_the_title_names_scenario_seed_machine_and_version(drawn):
    origin = drawn("one zone")[0].texts[1].get_text()
    for part in ("scale", "seed 7", "Abacus 3", "Python 3.11.2", "corororo 0.1.0"):
        assert part in origin


DRAW = """
import pathlib, sys
from zonesim.report import style
with style.sheet("title", "origin", pathlib.Path("drawn.png")) as figure:
    figure.add_subplot().plot([1, 2])
assert "matplotlib.pyplot" not in sys.modules  # it would look for a display
"""


def draw_elsewhere(folder: Path, **environment: str) -> bytes:
    """A picture that another process draws in a working directory, which may hold settings."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([CHECKOUT, *sys.path]), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return (folder / "drawn.png").read_bytes()


@pytest.fixture(scope="module")
def plain_picture(tmp_path_factory) -> bytes:
    return draw_elsewhere(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    ("settings", "environment"),
    [
        (b"", {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}),
        (b"text.usetex: True\nfont.size: 40\nsavefig.dpi: 20\nsavefig.format: svg", {}),
        (b"\xff no settings", {"MATPLOTLIBRC": "matplotlibrc"}),
        (b"font.family huge\nbackend: none", {"HOME": "/dev/null/a", "MPLCONFIGDIR": "/dev/null"}),
    ],
    ids=["a notebook's backend", "another look", "no text", "nonsense and nowhere to write"],
)
def test_a_figure_does_not_depend_on_its_users_settings(
    tmp_path, plain_picture, settings, environment
):
    (tmp_path / "matplotlibrc").write_bytes(settings)
    assert draw_elsewhere(tmp_path, **environment) == plain_picture


def test_settings_made_in_this_process_do_not_matter_either(tmp_path, plain_picture):
    path = tmp_path / "drawn.png"
    mine = mpl.rc_context({"font.size": 40, "savefig.dpi": 20})
    with mine, style.sheet("title", "origin", path) as figure:
        figure.add_subplot().plot([1, 2])
    assert path.read_bytes() == plain_picture


def test_a_name_that_the_font_lacks_is_drawn_without_a_warning(tmp_path):
    assert len(draw_all(make_run([1], scenario="地図"), tmp_path)) == len(FIGURES)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001, "0.001"), (1.0726, "1.07"), (13.66, "13.7"), (1e3, "1,000")],
)
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert style.plain(value) == text


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 3), (1, 400), (0.2, 90_000)])
def test_a_log_axis_spans_a_decade_and_holds_its_values(low, high):
    axes = Figure().add_subplot()
    style.log_ms_axis(axes, low, high, "ms")
    bottom, top = axes.get_ylim()
    assert bottom < style.floored([low])[0] <= style.floored([high])[0] < top
    assert np.log10(top / bottom) >= 1


def test_response_lines_show_the_percentiles_of_the_summary():
    run = make_run([1, 5, 20])
    found = axes_of(tick_time.draw, run)
    lines = {line.get_label(): list(line.get_ydata()) for line in found.get_lines()}
    for name in ("p50", "p95", "p99", "max"):
        assert lines[name] == [getattr(step.response_ms, name) for step in summarise(run).steps]
    assert "period 400 ms" in [text.get_text() for text in found.texts]


def test_late_ticks_are_counted_below_their_step():
    run = make_run([1, 2], took_ms=lambda zone, tick: 900 if zone and tick == 0 else 2)
    labels = [label.get_text() for label in axes_of(tick_time.draw, run).get_xticklabels()]
    assert labels == ["1\nnone late", "2\n1 late\n(5 %)"]


def test_nothing_is_called_late_if_nothing_was_due():
    found = axes_of(tick_time.draw, make_run([1], pace="max", took_ms=lambda zone, tick: 900))
    assert [label.get_text() for label in found.get_xticklabels()] == ["1"]
    assert "none was due" in found.get_xlabel()


def test_each_step_with_ticks_has_a_box_with_its_median_beside_it():
    run = make_run([1, 2, 5], ticks=11, took_ms=lambda zone, tick: 1 + tick)
    run.steps[1].rows.clear()
    found = axes_of(distribution.draw, run)
    assert len(found.patches) == 2
    assert [text.get_text() for text in found.texts if "period" not in text.get_text()] == ["6"] * 2
    assert found.get_xticklabels()[1].get_text() == "2\n0 ticks"


def test_every_tick_beyond_the_whiskers_is_a_point():
    run = make_run([1], ticks=1_000, took_ms=lambda zone, tick: 60 if tick < 5 else 2)
    lines = axes_of(distribution.draw, run).get_lines()
    (points,) = [line for line in lines if line.get_marker() == "o"]
    assert list(points.get_ydata()) == [60] * 5
    assert all(abs(x) < 0.2 for x in points.get_xdata())


def test_the_parts_of_a_tick_stack_up_to_the_mean_which_stands_above():
    run = make_run([1, 5, 20])
    found = axes_of(breakdown.draw, run)
    parts = {part.get_label(): [bar.get_height() for bar in part] for part in found.containers}
    assert list(parts) == ["step", "encode", "wait", "resume", "gc", "other"]
    for at, step in enumerate(summarise(run).steps):
        assert sum(values[at] for values in parts.values()) == pytest.approx(step.tick_ms.mean)
        assert found.texts[at].get_text() == style.plain(step.tick_ms.mean)


def test_parts_that_overlap_show_a_rest_below_zero():
    run = with_rows(make_run([1], took_ms=lambda zone, tick: 2.0), step_ns=2_000_000)
    found = axes_of(breakdown.draw, run)
    assert found.containers[-1][0].get_height() < 0
    assert found.get_ylim()[0] < 0


def cells_of(run: Run):
    """Draw the heatmap and return its cells, masked if they are grey."""
    return np.ma.masked_invalid(axes_of(heatmap.draw, run).images[0].get_array())


def test_each_zone_and_period_has_a_cell_with_its_response_time():
    run = make_run([3], ticks=4, took_ms=lambda zone, tick: 1 + zone * 10 + tick)
    del run.steps[0].rows[2]
    assert cells_of(run).tolist() == [[1, 2, None, 4], [11, 12, 13, 14], [21, 22, 23, 24]]


def test_steps_stand_end_to_end_and_absent_zones_are_grey():
    cells = cells_of(make_run([1, 2], ticks=3, took_ms=lambda zone, tick: 5.0))
    assert cells.mask.tolist() == [[False] * 6, [True] * 3 + [False] * 3]


def test_a_cell_of_many_ticks_shows_the_slowest():
    run = make_run([1], ticks=1_000, took_ms=lambda zone, tick: 99 if tick == 500 else 2)
    cells = cells_of(run)
    assert cells.shape[1] <= 400
    assert cells.max() == 99


def test_hundreds_of_zones_share_lines_and_keep_the_slowest():
    cells = cells_of(make_run([450], ticks=2, took_ms=lambda zone, tick: 99 if zone == 301 else 2))
    assert cells.shape == (150, 2)
    assert cells[100].tolist() == [99, 99]


def test_ticks_without_a_schedule_are_placed_by_their_start():
    assert cells_of(with_rows(make_run([1], ticks=3, pace="max"), scheduled_ns=0)).count() == 3
