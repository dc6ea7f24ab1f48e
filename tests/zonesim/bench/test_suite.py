"""Reports of benchmarks: measured, saved, read back, compared and printed."""

from __future__ import annotations

from contextlib import contextmanager

import msgspec
import pytest

from zonesim.bench import noise, suite
from zonesim.bench.compare import compare
from zonesim.bench.rows import Goal, Row, alone, beside, compared
from zonesim.bench.sampling import Amount, times_as_fast
from zonesim.bench.suite import BenchError, Group, Options, Report, Suite, begin
from zonesim.bench.table import MOST_ROWS, changes_text, details, figure_text, summary
from zonesim.cli.main import BAD_INPUT, DONE, main

QUIET, BUSY = noise.Look("any", 0.0, 0.0), noise.Look("any", 1.0, 0.0)


def group_of(name, figure=2.0, launches=2, log=None, quick=True):
    """A group with one candidate, which may log its launches or raise an error."""

    def measure():
        if log is not None:
            log.append(name)
        if isinstance(figure, BaseException):
            raise figure
        return figure

    @contextmanager
    def opened(setting):
        yield {"thing": measure}

    def rows(samples, setting):
        yield alone(name, "a thing", "us", samples["thing"], goal=Goal("at most", 3))
        yield "a note"

    amount = Amount(1, 1) if quick else None
    return Group(opened, rows, Amount(launches, 1), amount, warm_up=False)


def suite_of(**groups) -> Suite:
    return Suite("made-up", groups)


def measured(made_up: Suite, **options) -> Report:
    report = begin(made_up, Options(list(made_up.groups), **options))
    suite.measure(made_up, report, lambda group, number: None)
    return report


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(noise, "look", lambda before: QUIET)


@pytest.fixture
def report() -> Report:
    return measured(suite_of(first=group_of("first"), second=group_of("second")))


# -- measuring


def test_every_group_gives_its_rows_and_notes_and_then_conclusions_follow():
    made_up = suite_of(first=group_of("first"))._replace(
        conclude=lambda rows: [alone("sums", "rows", "", [[float(len(rows))]])]
    )
    report = measured(made_up)
    assert [(row.group, row.figure, row.verdict) for row in report.rows] == [
        ("first", 2.0, "pass"),
        ("sums", 1.0, ""),
    ]
    assert report.notes == ["first: a note"]
    assert report.complete


def test_the_launches_of_every_group_are_spread_over_the_run():
    log: list[str] = []
    groups = {name: group_of(name, launches=n, log=log) for name, n in (("long", 4), ("short", 2))}
    measured(suite_of(**groups))
    assert log == ["long", "short", "long", "long", "short", "long"]


def test_an_interrupted_run_keeps_the_rows_of_complete_launches():
    made_up = suite_of(first=group_of("first"), last=group_of("last", KeyboardInterrupt()))
    report = begin(made_up, Options(list(made_up.groups)))
    with pytest.raises(KeyboardInterrupt):
        suite.measure(made_up, report, lambda group, number: None)
    assert [(row.group, row.samples) for row in report.rows] == [("first", [[2.0]])]
    assert not report.complete


def test_a_group_that_cannot_be_measured_has_a_note_and_the_others_go_on():
    broken = group_of("broken", BenchError("this machine is too small"))
    report = measured(suite_of(broken=broken, first=group_of("first")))
    assert [row.group for row in report.rows] == ["first"]
    assert "broken: this machine is too small" in report.notes


def test_a_quick_run_leaves_out_what_only_a_full_run_measures():
    made_up = suite_of(first=group_of("first"), full=group_of("full", quick=False))
    report = measured(made_up, quick=True)
    assert report.amounts == {"first": Amount(1, 1)}
    assert report.notes[0] == "full: only a run without --quick measures it"


def test_launches_and_rounds_can_be_given():
    report = measured(suite_of(first=group_of("first")), quick=True, launches=3, rounds=2)
    assert report.rows[0].samples == [[2.0, 2.0]] * 3


def test_an_unknown_group_is_refused_with_the_known_ones():
    with pytest.raises(BenchError, match="expected one or more of first, found 'last'"):
        begin(suite_of(first=group_of("first")), Options(["last"]))


def test_verdicts_on_a_busy_machine_are_unclear_and_the_table_says_why(monkeypatch):
    monkeypatch.setattr(noise, "look", lambda before: BUSY)
    report = measured(suite_of(first=group_of("first")))
    assert report.rows[0].verdict == "unclear"
    last = list(summary(report))[-1]
    assert "1 unclear; BUSY: other programs used up to 1.0 CPUs, the host up to 0.0" in last


def test_a_look_at_this_machine_finds_a_load_or_says_that_it_is_unknown(monkeypatch):
    monkeypatch.undo()
    found = noise.look("now")
    assert found.cpus_busy is None or found.cpus_busy >= -0.01
    assert noise.noise_text([QUIET]) == ""
    assert "unknown" in noise.noise_text([noise.Look("a", None, None)])


# -- saving and comparing


def test_a_report_is_read_back_as_it_was_saved(report, tmp_path):
    file = suite.save(report, tmp_path)
    assert suite.load(tmp_path) == suite.load(file) == report


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"bench": 3}'])
def test_a_file_that_is_no_report_is_refused_with_its_path(content, tmp_path):
    (tmp_path / "bench.json").write_bytes(content)
    with pytest.raises(BenchError, match=r"bench\.json: expected results of `zonesim bench`"):
        suite.load(tmp_path)


def test_a_report_of_another_format_is_refused(report, tmp_path):
    suite.save(msgspec.structs.replace(report, format=2), tmp_path)
    with pytest.raises(BenchError, match="expected format 1, found 2; measure again"):
        suite.load(tmp_path)


def row(figure: float, spread: float, **more: object) -> Row:
    bounds = (figure - spread, figure + spread)
    known = {"group": "g", "name": "n", "unit": "us", "figure_unit": "us", "interval": bounds}
    return Row(ours=figure, figure=figure, **(known | more))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (row(10, 1), row(13, 1), "worse"),
        (row(10, 1), row(7, 1), "better"),
        (row(10, 1), row(13, 4), "no difference"),
        (row(10, 4), row(13, 1), "no difference"),
        (row(10, 1, better="higher"), row(13, 1, better="higher"), "better"),
        (row(10, 1), row(13, 1, interval=None), "unclear"),
    ],
)
def test_a_row_differs_if_each_figure_is_outside_the_other_interval(report, before, after, verdict):
    earlier = msgspec.structs.replace(report, rows=[before])
    later = msgspec.structs.replace(report, rows=[after])
    (change,) = compare(earlier, later).rows
    assert (change.verdict, change.ratio) == (verdict, after.figure / before.figure)


def test_rows_that_only_one_run_has_are_gone_or_added(report):
    bare = msgspec.structs.replace(report, rows=[])
    assert {change.verdict for change in compare(report, bare).rows} == {"gone"}
    assert {change.verdict for change in compare(bare, report).rows} == {"added"}


def test_a_comparison_notes_another_machine_and_an_interrupted_run(report):
    machine = report.machine | {"cpu": "other"}
    notes = compare(report, msgspec.structs.replace(report, machine=machine, complete=False)).notes
    assert notes[0].startswith("machine: cpu was")
    assert notes[1] == "the later run was not complete"


def test_runs_of_two_commands_cannot_be_compared(report):
    with pytest.raises(BenchError, match="'made-up' and 'other'"):
        compare(report, msgspec.structs.replace(report, bench="other"))


def test_the_command_line_compares_two_folders(report, tmp_path, capsys):
    suite.save(report, tmp_path)
    assert main(["bench", "compare", str(tmp_path), str(tmp_path)]) == DONE
    assert capsys.readouterr().out.splitlines() == list(changes_text(compare(report, report)))
    assert main(["bench", "compare", str(tmp_path), str(tmp_path / "none")]) == BAD_INPUT
    assert "none: expected results of `zonesim bench`" in capsys.readouterr().err


# -- printing


def test_the_table_has_a_line_for_every_row_with_its_ratio_goal_and_verdict(report):
    ours, theirs = [[1.0, 2.0], [3.0, 2.0]], [[4.0, 4.0], [4.0, 4.0]]
    shown = compared("g", "ours", "theirs", "us", ours, theirs, goal=Goal("at most", 0.6))
    slow = compared("g", "slow", "theirs", "us", [[1.0]], [[80.0]], goal=Goal("at most", 1 / 90))
    hidden = alone("g", "hidden", "us", ours, detail=True)
    report = msgspec.structs.replace(report, rows=[shown, slow, hidden])
    lines = list(summary(report))
    assert lines[1].split("  ")[0] == "ours, over theirs"
    assert all(part in lines[1] for part in ("2.00 us", "4.00 us", "0.50", "at most 0.60", "pass"))
    assert all(part in lines[2] for part in ("1/80", "at most 1/90", "short"))
    assert lines[3] == "goals: 1 pass, 1 short"
    assert "hidden" in "\n".join(details(report))


@pytest.mark.parametrize("rows", [MOST_ROWS, MOST_ROWS + 1, 60])
def test_the_table_has_a_bounded_number_of_lines(report, rows):
    many = [alone("g", str(n), "us", [[1.0]]) for n in range(rows)]
    lines = list(summary(msgspec.structs.replace(report, rows=many)))
    assert len(lines) == MOST_ROWS + 2
    assert ("more rows: see --verbose" in lines[-2]) == (rows > MOST_ROWS)


def test_details_say_how_it_was_measured(report):
    text = "\n".join(details(report))
    for part in ("zonesim bench made-up", "first (2 launches of 1 rounds)", "first: a note"):
        assert part in text


def test_a_published_figure_stands_beside_ours_and_does_not_change_it():
    ours = alone("first", "a thing", "us", [[1.0, 2.0], [3.0, 2.0]])
    found = beside(ours, "others", 125.0)
    assert (found.figure, found.interval, found.theirs) == (ours.figure, ours.interval, 125.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.6, "12,346"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")],
)
def test_figures_have_three_significant_digits(value, text):
    assert figure_text(value) == text


def test_higher_is_better_if_the_goal_is_a_lower_bound():
    goal = Goal("at least", 1.2)
    found = compared("g", "n", "a", "ms", [[2.0]], [[4.0]], statistic=times_as_fast, goal=goal)
    assert (found.figure, found.better, found.verdict) == (2.0, "higher", "pass")
