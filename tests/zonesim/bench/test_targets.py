"""The plan's targets beside made-up figures: a row for each grade, and one table."""

from __future__ import annotations

import pytest

from zonesim.bench import noise, suite
from zonesim.bench.figures import Row, alone
from zonesim.bench.launches import Amount, Rounds
from zonesim.bench.spectrum import SUITE
from zonesim.bench.suite import Group, Options, Suite, begin
from zonesim.bench.targets import CRITERIA, OTHER_CRITERIA, TARGETS, conclude


def measured(**figures: float) -> list[Row]:
    """Rows that some targets ask for, each with the same figure in all rounds."""
    places = {
        "at_once": ("patterns", "Task->AsyncTask, 1,980 in a tick", "us"),
        "sequence": ("patterns", "Task->AsyncTask, one after another", "us"),
        "direct": ("impact", "1 direct: a tick of 1,980", "ms"),
        "sampled": ("impact", "3 sampled: a tick of 1,980", "ms"),
        "zone": ("zones", "one of 100 zones, in a tick of all", "ms"),
        "zones": ("zones", "a tick of 100 zones of 1,980", "ms"),
    }
    rounds: Rounds = [[1.0, 1.0], [1.0, 1.0]]
    return [
        alone(*places[name], [[figure * one for one in launch] for launch in rounds])
        for name, figure in figures.items()
    ]


ALL = measured(at_once=0.5, sequence=50.0, direct=1.0, sampled=2.0, zone=1.0, zones=100.0)


CORE = alone("core", "start and resume", "us", [[1.0], [1.0]])


def test_all_rows_that_targets_ask_for_are_measured_by_the_suite() -> None:
    asked = {target.row for target in TARGETS} | {place for *_, place in CRITERIA}
    assert {(row.group, row.name) for row in ALL} == asked
    assert {group for group, _ in asked} <= set(SUITE.groups)


def test_each_grade_of_a_target_is_a_row_with_its_verdict() -> None:
    rows = [part for part in conclude(measured(sequence=50.0), ()) if isinstance(part, Row)]
    targets = [row for row in rows if row.group == "targets"]
    assert [(row.against, row.theirs, row.figure, row.verdict) for row in targets] == [
        ("conservative", 100.0, 0.5, "pass"),
        ("aggressive", 10.0, 5.0, "falls short"),
        ("ultimate", 1.0, 50.0, "falls short"),
    ]
    assert {row.ours for row in targets} == {50.0}


def test_more_ticks_a_second_are_better() -> None:
    rows = [part for part in conclude(measured(direct=2.0), ()) if isinstance(part, Row)]
    (ultimate,) = (row for row in rows if row.name == "single zone" and row.against == "ultimate")
    assert (ultimate.ours, ultimate.figure) == (500.0, 2.5)
    assert (ultimate.better, ultimate.verdict) == ("higher", "pass")


def test_the_table_has_ours_to_the_right_of_ultimate() -> None:
    notes = [part for part in conclude(ALL, ()) if isinstance(part, str)]
    titles = "target", "conservative", "aggressive", "ultimate", "measured", "over ultimate"
    assert notes[0].split() == " ".join(titles).split()
    lines = {line[:38].rstrip(): line[38:].split() for line in notes[1 : 1 + len(TARGETS)]}
    assert lines["100 zones on one thread, total, ms"] == ["15,000", "5,000", "500", "100", "0.20x"]
    assert lines["single zone, ticks/s"] == ["6.70", "20.0", "200", "1,000", "5.00x"]


def test_criteria_that_are_times_are_rows_and_the_others_are_told() -> None:
    parts = list(conclude([*ALL, CORE], ()))
    rows = [part for part in parts if isinstance(part, Row) and part.group == "criteria"]
    assert [(row.name[0], row.theirs, row.verdict) for row in rows] == [
        ("1", 1_000.0, "pass"),
        ("2", 400.0, "pass"),
        ("3", 400.0, "pass"),
        ("4", 400.0, "pass"),
    ]
    assert parts[-5:] == list(OTHER_CRITERIA)
    assert OTHER_CRITERIA[0] not in conclude(ALL, ())  # the loop of send was not measured
    assert [text[0] for text in OTHER_CRITERIA] == ["5", "6", "7", "8", "9"]


def test_targets_of_what_was_not_measured_are_left_out() -> None:
    assert list(conclude([], ())) == []
    names = {part.name for part in conclude(measured(zones=100.0), ()) if isinstance(part, Row)}
    assert names == {"100 zones on one thread, total", "4 100 zones in one period of one thread"}


@pytest.mark.parametrize(("cpus_busy", "verdict"), [(0.0, "pass"), (1.0, "unclear")])
def test_a_verdict_on_figures_of_a_busy_machine_is_unclear(
    monkeypatch: pytest.MonkeyPatch, cpus_busy: float, verdict: str
) -> None:
    monkeypatch.setattr(noise, "look", lambda before: noise.Look(before, cpus_busy, 0.0))
    made_up = Suite(
        "made-up",
        {"all": Group(lambda _: (part for part in [*ALL, CORE]), Amount(1, 1), Amount(1, 1))},
    )
    report = begin(made_up, Options(["all"]))
    *_, targets, criteria = suite.measure(made_up._replace(conclude=conclude), report)
    assert (targets.group, criteria.group) == ("targets", "criteria")
    assert {row.verdict for row in criteria.rows} == {verdict}
    assert criteria.notes == list(OTHER_CRITERIA)
