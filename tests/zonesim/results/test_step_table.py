from __future__ import annotations

import msgspec
import pytest

from zonesim.results.statistics import summarise_step
from zonesim.results.step_info import StepInfo
from zonesim.results.step_table import figure, step_table

EMPTY = summarise_step([], StepInfo(1, 1, 1, 2, 400.0, "realtime", 10.0))


def busy_step(**changes: object):
    slow = msgspec.structs.replace(EMPTY.response_ms, p50=1.934, p95=12.34, p99=123.4, max=4567.8)
    return msgspec.structs.replace(EMPTY, response_ms=slow, **changes)


def test_a_step_is_one_line_of_figures_under_two_lines_of_headings():
    lines = step_table([busy_step(zones=5, ticks=125, late=3, worker_utilisation=0.407)]).split(
        "\n"
    )

    assert len(lines) == 3
    assert " ".join(lines[2].split()) == "5 2 125 3 0 1.93 12.3 123 4568 0.00 0.00 41 -"


def test_the_table_of_a_thousand_zones_fits_80_columns():
    large = busy_step(
        zones=1000, workers=63.972, ticks=99_999, late=9_999, missed=999, pss_mb_per_zone=123.4
    )

    assert max(map(len, step_table([EMPTY, large]).split("\n"))) <= 80


def test_a_changing_number_of_workers_is_shown_as_its_mean():
    lines = step_table([busy_step(workers=2.0), busy_step(workers=1.4285)]).split("\n")

    assert [line.split()[1] for line in lines[2:]] == ["2", "1.43"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (1.934, "1.93"),
        (9.996, "10.0"),
        (12.34, "12.3"),
        (99.96, "100"),
        (4567.8, "4568"),
    ],
)
def test_a_figure_has_three_significant_digits(value, text):
    assert figure(value) == text
