from __future__ import annotations

from collections.abc import Sequence

import made_up_run
import msgspec
import pytest

from zonesim.results.recovery import Recovery
from zonesim.results.statistics import (
    Breakdown,
    StepSummary,
    carried_between,
    check_limits,
    percentile,
    summarise_step,
)
from zonesim.results.step_info import StepInfo
from zonesim.results.step_table import figure, step_table
from zonesim.scenario.loading import Limits
from zonesim.wire.messages import TickRow
from zonesim.zone.schedule import phase_ns

MS = 1_000_000
PERIOD_MS = 400.0
STEP = StepInfo(
    step=1,
    zones=1,
    zone_processes=1,
    workers=2,
    period_ms=PERIOD_MS,
    pace="realtime",
    duration_s=4.0,
)


def row(zone: int = 0, tick: int = 0, took_ms: float = 3, late_start_ms: float = 0, **changes):
    scheduled_ns = int((tick * PERIOD_MS + 1_000) * MS)
    started_ns = scheduled_ns + int(late_start_ms * MS)
    times = {"scheduled_ns": scheduled_ns, "started_ns": started_ns}
    plain = made_up_run.row(zone, tick, finished_ns=started_ns + int(took_ms * MS), **times)
    return msgspec.structs.replace(plain, **{"late": False, "missed": 0} | changes)


def summary(rows: Sequence[TickRow], **changes: object) -> StepSummary:
    return summarise_step(rows, msgspec.structs.replace(STEP, **changes))


@pytest.mark.parametrize(
    ("p", "expected"), [(0.0, 10), (0.5, 30), (0.51, 40), (0.95, 50), (1.0, 50)]
)
def test_percentile_takes_the_value_at_the_rounded_up_index(p, expected):
    assert percentile([10, 20, 30, 40, 50], p) == expected


@pytest.mark.parametrize("k", [3, 5, 20])
@pytest.mark.parametrize("s", [2, 3, 10])
def test_one_tick_of_s_periods_in_every_k_gives_the_instability_of_the_paper(k, s):
    rows = [
        row(tick=n, took_ms=s * PERIOD_MS if n % k == 1 else 3, missed=s - 1 if n % k == 1 else 0)
        for n in range(k * 10)
    ]
    assert summary(rows).isr == pytest.approx((s - 1) / (s + k - 1))


def test_without_rows_the_summary_is_all_zeros():
    found = summary([])
    assert (found.ticks, found.tps, found.isr, found.us_per_coroutine) == (0, 0, 0, 0)
    assert found.response_ms.max == 0
    assert found.breakdown_ms == Breakdown(0, 0, 0, 0, 0, 0)


def test_at_pace_max_no_tick_is_late_or_missed():
    found = summary([row(took_ms=3, late_start_ms=5, late=True, missed=4)], pace="max")
    assert (found.late, found.missed, found.lateness_ms.max) == (0, 0, 0)
    assert found.response_ms == found.tick_ms


ORIGIN_NS = 1_000 * MS  # when zone 0 is due first, as in the rows above
WINDOW = {"origin_ns": ORIGIN_NS, "begin_ns": ORIGIN_NS, "end_ns": ORIGIN_NS + 4_000 * MS}


def rows_of(zone: int, *ticks: int) -> list[TickRow]:
    phase = phase_ns(zone, 400 * MS)
    at_phase = [row(zone=zone, tick=tick) for tick in ticks]
    return [msgspec.structs.replace(r, scheduled_ns=r.scheduled_ns + phase) for r in at_phase]


def test_ticks_that_were_due_and_never_ran_are_missed():
    dead_for_a_while = rows_of(0, 0, 1, 6, 7, 8, 9)
    never_back = rows_of(1, 0, 1, 2)
    assert summary(dead_for_a_while, **WINDOW).missed == 4
    assert summary([*dead_for_a_while, *never_back], zones=2, **WINDOW).missed == 4 + 7
    assert summary(rows_of(0, *range(10)), zones=2, **WINDOW).missed == 10


def test_a_missed_tick_counts_in_the_step_in_which_it_was_due():
    long_one = msgspec.structs.replace(rows_of(0, 9)[0], missed=3)
    whole = [*rows_of(0, *range(9)), long_one]
    next_window = {**WINDOW, "begin_ns": WINDOW["end_ns"], "end_ns": WINDOW["end_ns"] + 4_000 * MS}
    assert summary(whole, **WINDOW).missed == 0
    assert summary(rows_of(0, *range(13, 20)), **next_window).missed == 3


COUNTED = {**WINDOW, "end_ns": 0, "ticks": 10}


def test_a_zone_that_stops_early_missed_the_rest_of_its_ticks():
    whole, given_up = rows_of(0, *range(10)), rows_of(1, 0, 1, 2)
    assert summary(whole, **COUNTED).missed == 0
    assert summary([*whole, *given_up], zones=2, **COUNTED).missed == 7
    assert summary(whole, zones=2, **COUNTED).missed == 10
    assert summary([], zones=2, **COUNTED).missed == 20


def test_ticks_that_ran_again_do_not_stand_for_others():
    """It ran ticks 0 to 3, was dead for two, ran 2 to 5, and was given up then."""
    again = [
        msgspec.structs.replace(r, tick=n) for n, r in enumerate(rows_of(0, 6, 7, 8, 9), start=2)
    ]
    found = summary([*rows_of(0, 0, 1, 2, 3), *again], **COUNTED)
    assert (found.ticks, found.missed) == (8, 2 + 4)


def test_nothing_is_due_after_the_end_of_a_step_that_was_cut_short():
    cut = {**COUNTED, "end_ns": ORIGIN_NS + 6 * 400 * MS}
    slow, dead, done = rows_of(0, 0, 2, 4), rows_of(1, 0, 1), rows_of(2, *range(6))
    assert summary([*slow, *dead, *done], zones=3, **cut).missed == 3 + 4


def test_a_step_that_was_broken_off_misses_nothing_after_its_latest_tick():
    assert summary(rows_of(0, 0, 1, 4), **COUNTED, duration_s=0.0).missed == 2


def test_ticks_per_second_are_of_one_zone_and_name_the_slowest():
    rows = [row(zone=0, tick=n) for n in range(10)] + [row(zone=1, tick=n) for n in range(4)]
    found = summary(rows, zones=2)
    assert found.tps == pytest.approx(14 / 2 / 4)
    assert found.tps_min == pytest.approx(1.0)


def test_main_thread_figures_leave_waiting_out():
    found = summary([row(), row(tick=1)])
    assert found.main_thread_ms.p50 == 2
    assert found.utilisation == pytest.approx(2 / 400)
    assert found.us_per_coroutine == pytest.approx(2_000 / 1_980)


def test_a_zone_that_was_restarted_carries_no_calls():
    before = {0: row(tick=9, carried=6)}
    assert carried_between(before, [row(tick=0), row(tick=1)]) == 0
    assert carried_between(before, [row(tick=10, pid=4711)]) == 0
    assert carried_between(before, [row(tick=10)]) == 6


@pytest.mark.parametrize(
    ("name", "limit", "sentence"),
    [
        ("late_ratio", 0.25, "step 2 (1 zone): late_ratio is 0.5, above the limit of 0.25"),
        ("missed_ratio", 0.5, "step 2 (1 zone): missed_ratio is 0.6, above the limit of 0.5"),
        ("response_p99_ms", 3, "step 2 (1 zone): response_p99_ms is 8, above the limit of 3"),
        ("tick_p99_ms", 2, "step 2 (1 zone): tick_p99_ms is 3, above the limit of 2"),
        ("lost", 0, "step 2 (1 zone): lost is 12, above the limit of 0"),
        ("tps_min", 2, "step 2 (1 zone): tps_min is 0.5, below the limit of 2"),
    ],
)
def test_a_broken_limit_names_step_figure_and_limit(name, limit, sentence):
    bad = [
        row(tick=n, late_start_ms=5, late=n == 0, missed=3 * n, async_completed=390)
        for n in range(2)
    ]
    fine = [row(tick=n, took_ms=1) for n in range(10)]
    found = check_limits([summary(fine), summary(bad)], {name: limit})
    assert not found.ok
    assert found.broken == [sentence]


def test_a_step_without_ticks_breaks_its_limits():
    found = check_limits([summary([], zones=5)], {"late_ratio": 0.5, "lost": 0})
    assert found.broken == ["step 1 (5 zones): no tick ran, so no limit is shown to hold"]


def test_every_limit_of_a_scenario_is_checked():
    steps = [summary([row(tick=n) for n in range(10)])]
    names = set(Limits.__struct_fields__)
    assert len(check_limits(steps, dict.fromkeys(names, -1) | {"tps_min": 9}).broken) == len(names)


@pytest.mark.parametrize(
    ("name", "limit", "sentence"),
    [
        ("unhealthy", 1, "run: unhealthy is 2, above the limit of 1"),
        ("recovery_ms", 1000, "run: recovery_ms is 1500.5, above the limit of 1000"),
        ("redone_ticks", 10, "run: redone_ticks is 11, above the limit of 10"),
    ],
)
def test_a_broken_limit_of_recovery_is_named_once_for_the_whole_run(name, limit, sentence):
    steps = [summary([row(tick=n) for n in range(10)])] * 2
    recovery = Recovery(zones_unhealthy=2, recovery_ms_max=1500.5, redone_ticks_max=11)
    assert check_limits(steps, {name: limit, "lost": 0}, recovery).broken == [sentence]
    assert check_limits(steps, {name: limit}).ok


EMPTY = summarise_step([], STEP)


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
