"""The measurement of idle strategies runs and tells all its rows; what it measures is no test."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from zonesim.bench.idle import ALONE, APART, CROWDED, FREE, TICK, Estimate, Row

from zonesim.bench import crowd, idle
from zonesim.system import cpus_to_hold

pytestmark = pytest.mark.timeout(60)
PINS = len(cpus_to_hold()) > 1
SITUATIONS = (FREE, APART, CROWDED) if PINS else (FREE, CROWDED)


@pytest.fixture(scope="module")
def report() -> idle.Report:
    return idle.measure(idle.Sizes(rounds=1, calls=2, ticks=2))


def rows(free: tuple[float, float], crowded: tuple[float, float]) -> list[Row]:
    """Of AdaptiveSpin, with these intervals; and of another one, which counts for nothing."""
    other = Estimate(9.0, 9.0, 9.0)
    return [
        Row(FREE, ALONE, "AdaptiveSpin", 70.0, Estimate(sum(free) / 2, *free)),
        Row(CROWDED, TICK, "AdaptiveSpin", 900.0, Estimate(sum(crowded) / 2, *crowded)),
        Row(FREE, ALONE, "Backoff", 70.0, other),
        Row(CROWDED, TICK, "Backoff", 900.0, other),
    ]


def test_every_strategy_has_its_row_in_every_situation(report: idle.Report) -> None:
    found = [(row.situation, row.measured, row.strategy) for row in report.rows]
    assert found == [
        (situation, measured, strategy)
        for situation in SITUATIONS
        for measured in (ALONE, TICK, idle.MEAN)
        for strategy in idle.STRATEGIES
    ]


def test_all_ratios_are_those_to_park(report: idle.Report) -> None:
    park_us = {(r.situation, r.measured): r.us for r in report.rows if r.strategy == "Park"}
    for row in report.rows:
        ratio = pytest.approx(row.us / park_us[row.situation, row.measured])
        assert (row.ratio.low, row.ratio.ratio, row.ratio.high) == (ratio, ratio, ratio)


@pytest.mark.parametrize(
    ("interval", "holds"), [((0.5, 0.99), "yes"), ((0.9, 1.1), "unclear"), ((1.0, 1.2), "no")]
)
def test_it_is_faster_only_if_the_whole_interval_says_so(
    interval: tuple[float, float], holds: str
) -> None:
    faster, _ = idle.judge(rows(interval, (1.0, 1.0)))
    assert (faster.holds, faster.ratio.low, faster.ratio.high) == (holds, *interval)


@pytest.mark.parametrize(
    ("interval", "holds"), [((0.9, 1.04), "yes"), ((0.9, 1.06), "unclear"), ((1.05, 1.2), "no")]
)
def test_it_is_not_slower_only_within_the_margin_of_equals(
    interval: tuple[float, float], holds: str
) -> None:
    _, not_slower = idle.judge(rows((0.5, 0.6), interval))
    assert (not_slower.holds, not_slower.goal) == (holds, idle.MARGIN)


def test_the_table_shows_rows_verdicts_and_how_free_the_cores_were(
    report: idle.Report, capsys: pytest.CaptureFixture[str]
) -> None:
    idle.print_report(report, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert report.gc in lines[0]
    head, table = lines[1 : 1 + len(SITUATIONS)], lines[2 + len(SITUATIONS) :]
    assert tuple(line.partition(":")[0] for line in head) == SITUATIONS
    for line, row in zip(table[: len(report.rows)], report.rows, strict=True):
        assert line.startswith(row.situation)
        assert row.strategy in line
        assert f" {row.ratio.ratio:.2f} " in line
    for line, verdict in zip(table[len(report.rows) :], report.verdicts, strict=True):
        assert line.startswith(f"AdaptiveSpin is {verdict.claim}: {verdict.holds} (")


def test_a_table_says_where_waiting_is_unknown(
    report: idle.Report, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = msgspec.structs.replace(report, waited={FREE: None, CROWDED: 0.5})
    idle.print_report(unknown, as_json=False)
    told = [line for line in capsys.readouterr().out.splitlines() if "waited" in line]
    assert told == [
        "a core is free: somebody waited for a core in an unknown part of the time",
        "crowded: somebody waited for a core in 50% of the time",
    ]


def test_json_holds_the_same_figures(
    report: idle.Report, capsys: pytest.CaptureFixture[str]
) -> None:
    idle.print_report(report, as_json=True)
    assert msgspec.json.decode(capsys.readouterr().out, type=idle.Report) == report


def test_what_holds_with_a_core_each_is_told_beside_what_holds_without() -> None:
    apart = Row(APART, ALONE, "AdaptiveSpin", 70.0, Estimate(0.6, 0.5, 0.7))
    verdicts = idle.judge([*rows((1.0, 1.1), (1.0, 1.0)), apart])
    assert [verdict.holds for verdict in verdicts] == ["no", "yes", "yes"]
    assert verdicts[1].claim.endswith(APART)


@pytest.mark.skipif(not PINS, reason="pins no processes, or has no CPU to choose")
def test_zone_and_worker_are_held_apart_while_it_lasts() -> None:
    usable = os.sched_getaffinity(0)
    (apart,) = [situation for situation in idle.situations(2) if situation.name == APART]
    assert apart.zone_cpu != apart.worker_cpu
    with idle.pinned(apart.zone_cpu):
        assert os.sched_getaffinity(0) == {apart.zone_cpu}
    assert os.sched_getaffinity(0) == usable


def test_a_single_cpu_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(idle, "usable_cpus", lambda: 1)
    monkeypatch.setattr("sys.argv", ["idle", "--quick"])
    with pytest.raises(SystemExit) as ended:
        idle.main()
    assert ended.value.code == 2
    assert "expected 2 usable CPUs or more" in capsys.readouterr().err


# -- how long somebody waited


def pressure(path: Path, total_us: int) -> None:
    averages = "avg10=0.00 avg60=0.00 avg300=0.00"
    path.write_text(f"some {averages} total={total_us}\nfull {averages} total=99999999\n")


def test_the_share_of_waiting_is_that_of_the_time_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "cpu"
    monkeypatch.setattr(crowd, "read_proc", lambda *_parts: file.read_text())
    now_s = iter([100.0, 104.0])
    monkeypatch.setattr(crowd, "monotonic", lambda: next(now_s))
    pressure(file, 5_000_000)
    with crowd.Waiting() as waiting:
        pressure(file, 6_000_000)
    assert waiting.share == 0.25


def test_the_share_of_waiting_is_unknown_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowd, "read_proc", lambda *_parts: "")
    with crowd.Waiting() as waiting:
        pass
    assert waiting.share is None
