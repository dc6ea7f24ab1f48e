"""Reports of benches: measured, saved, read back, compared and told."""

from __future__ import annotations

from contextlib import contextmanager

import msgspec
import pytest

from zonesim.bench import noise, suite
from zonesim.bench.compare import compare
from zonesim.bench.figures import Comparison, Goal, Row, alone, beside
from zonesim.bench.launches import Amount, ratio, take_turns, times_as_fast
from zonesim.bench.suite import (
    BenchError,
    Group,
    Launch,
    Measured,
    Options,
    Report,
    Suite,
    begin,
)
from zonesim.bench.table import changes_text, figure_text, foot, head, section
from zonesim.cli.main import BAD_INPUT, DONE, main

OURS, THEIRS = [[1.0, 2.0], [3.0, 2.0]], [[4.0, 4.0], [4.0, 4.0]]
QUIET = noise.Look("any", 0.0, 0.0)
BUSY = noise.Look("any", 1.0, 0.0)


def measure_two(setting):
    yield alone("first", "a thing", "us", OURS, goal=Goal("at most", 3))
    yield "nobody else is installed"
    yield Comparison("first", "ours", "theirs", "us", ratio).row(OURS, THEIRS)


MADE_UP = Suite(
    "made-up",
    {"first": Group(measure_two, Amount(5, 4), Amount(2, 1))},
    conclude=lambda rows, groups: [alone("sums", "rows", "", [[float(len(rows))]])],
)


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(noise, "look", lambda before: QUIET)


@pytest.fixture
def report(quiet) -> Report:
    report = begin(MADE_UP, Options(["first"]))
    list(suite.measure(MADE_UP, report))
    return report


def test_groups_are_measured_and_then_concluded_from(quiet):
    report = begin(MADE_UP, Options(["first"]))
    first, *parts = suite.measure(MADE_UP, report)
    assert first == Launch("first", 0)
    assert [(part.group, len(part.rows), part.notes) for part in parts] == [
        ("first", 2, ["nobody else is installed"]),
        ("sums", 1, []),
    ]
    assert report.complete
    assert [row.figure for row in report.rows] == [2.0, 0.5, 2.0]


def test_what_is_concluded_in_words_belongs_to_the_row_before_it(quiet):
    sums, others = (alone(name, "rows", "", [[2.0]]) for name in ("sums", "others"))
    parts = [sums, "of all groups", others, "of the rest"]
    report = begin(MADE_UP, Options(["first"]))
    *_, first, second = suite.measure(MADE_UP._replace(conclude=lambda rows, groups: parts), report)
    assert (first.group, first.rows, first.notes) == ("sums", [sums], ["of all groups"])
    assert (second.group, second.rows, second.notes) == ("others", [others], ["of the rest"])
    assert report.notes[-2:] == ["of all groups", "of the rest"]


def in_launches(name, log):
    """A group of three launches in which it logs its name."""

    @contextmanager
    def opened():
        log.append(name)
        yield {"thing": lambda: 2.0}
        log.append(f"{name} ended")

    def measure(setting):
        samples = yield from take_turns(setting.amount, opened)
        yield alone(name, "a thing", "us", samples["thing"])
        yield from take_turns(setting.amount, opened)
        yield alone(name, "once more", "us", samples["thing"])

    return measure


def two_groups(log):
    groups = {
        "long": Group(in_launches("long", log), Amount(3, 1), Amount(1, 1)),
        "short": Group(in_launches("short", log), Amount(1, 1), Amount(1, 1)),
    }
    return Suite("made-up", groups)


def test_groups_take_turns_launch_by_launch_and_are_told_when_they_are_done(quiet):
    log = []
    made_up = two_groups(log)
    report = begin(made_up, Options(["long", "short"]))
    log.extend(
        f"{part.group} told"
        for part in suite.measure(made_up, report)
        if isinstance(part, Measured)
    )
    long, short = ["long", "long ended"], ["short", "short ended"]
    assert log == [*long, *short, *4 * long, *short, "short told", *long, "long told"]


def break_off(setting):
    """Ctrl-C comes in its second launch."""
    figures = iter([1.0, 2.0])

    def measure_thing():
        try:
            return next(figures)
        except StopIteration:
            raise KeyboardInterrupt from None

    @contextmanager
    def opened():
        yield {"thing": measure_thing}

    samples = yield from take_turns(setting.amount, opened)
    yield alone("broken", "a thing", "us", samples["thing"])


def test_groups_of_a_run_that_is_broken_off_are_told_from_the_launches_they_had(quiet):
    log, measured = [], []
    made_up = two_groups(log)
    made_up.groups["broken"] = Group(break_off, Amount(2, 1), Amount(1, 1))
    report = begin(made_up, Options(["long", "broken", "short"]))
    with pytest.raises(KeyboardInterrupt):
        measured.extend(suite.measure(made_up, report))
    assert log == ["long", "long ended", "short", "short ended", "long", "long ended"]
    found = [(row.group, row.name, row.samples) for row in report.rows]
    assert found == [
        ("long", "a thing", [[2.0], [2.0]]),
        ("broken", "a thing", [[2.0]]),
        ("short", "a thing", [[2.0]]),
    ]
    told = [part for part in measured if isinstance(part, Measured)]
    assert told == [Measured(row.group, [row], []) for row in report.rows]
    assert not report.complete


def test_a_group_whose_first_launch_is_broken_off_has_nothing_to_tell(quiet):
    made_up = Suite("made-up", {"broken": Group(break_off, Amount(1, 3), Amount(1, 1))})
    report = begin(made_up, Options(["broken"]))
    with pytest.raises(KeyboardInterrupt):
        list(suite.measure(made_up, report))
    assert report.rows == []


def test_a_group_of_several_parts_has_the_second_in_time(quiet):
    log = []
    made_up = two_groups(log)
    made_up.groups["short"] = made_up.groups["short"]._replace(parts=2)
    list(suite.measure(made_up, begin(made_up, Options(["long", "short"]))))
    begun = [name for name in log if not name.endswith("ended")]
    assert begun == ["long", "short", "long", "short", *["long"] * 4]


def test_what_is_shown_while_others_have_the_machine_is_unclear_and_what_is_kept_is_judged_once(
    monkeypatch,
):
    looks = iter([BUSY, QUIET, QUIET])
    monkeypatch.setattr(noise, "look", lambda before: next(looks))
    monkeypatch.setattr(suite, "LOOKS_APART_S", -1.0)
    other = Group(lambda setting: (part for part in ["nothing"]), Amount(1, 1), Amount(1, 1))
    made_up = MADE_UP._replace(groups=MADE_UP.groups | {"other": other})
    report = begin(made_up, Options(["first", "other"]))
    measured = [part for part in suite.measure(made_up, report) if isinstance(part, Measured)]
    assert [row.verdict for row in measured[0].rows] == ["unclear", ""]
    assert [row.verdict for row in report.rows] == ["pass", "", ""]
    assert "too few to doubt" in "\n".join(foot(report))


@pytest.mark.parametrize(
    ("options", "amount"),
    [
        (Options(["first"]), Amount(5, 4)),
        (Options(["first"], quick=True), Amount(2, 1)),
        (Options(["first"], quick=True, launches=7), Amount(7, 1)),
        (Options(["first"], rounds=9), Amount(5, 9)),
    ],
)
def test_the_amount_is_the_group_s_unless_it_is_given(options, amount):
    assert begin(MADE_UP, options).amounts == {"first": amount}


def test_an_unknown_group_is_named_with_those_that_there_are():
    with pytest.raises(BenchError, match="expected some of first, found 'last'"):
        begin(MADE_UP, Options(["last"]))


def test_cpus_that_are_not_there_are_refused():
    with pytest.raises(BenchError, match=r"found \[9999\]"):
        begin(MADE_UP, Options(["first"], cpus=[9999]))


def test_a_verdict_on_a_busy_machine_is_unclear_and_the_run_says_so(monkeypatch):
    monkeypatch.setattr(noise, "look", lambda before: BUSY)
    report = begin(MADE_UP, Options(["first"]))
    list(suite.measure(MADE_UP, report))
    assert [row.verdict for row in report.rows] == ["unclear", "", ""]
    text = "\n".join(foot(report))
    assert "BUSY: others took up to 1.0 CPUs, the host up to 0.0, in 2 of 2 looks" in text
    assert "1 unclear" in text


def test_a_quiet_look_is_told_by_nobody_and_an_unknown_one_once():
    assert noise.told([QUIET, QUIET]) == []
    assert len(noise.told([noise.Look("a", None, None)] * 2)) == 1


def test_a_look_at_this_machine_finds_no_less_than_nothing():
    found = noise.look("now")
    assert found.cpus_busy is None or found.cpus_busy >= -0.01


def test_a_report_is_read_back_as_it_was_saved(report, tmp_path):
    file = suite.save(report, tmp_path)
    assert suite.load(tmp_path) == suite.load(file) == report


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"bench": 3}'])
def test_what_is_no_report_is_refused_with_its_place(content, tmp_path):
    file = tmp_path / "bench.json"
    file.write_bytes(content)
    with pytest.raises(BenchError, match=r"bench\.json: expected what `zonesim bench` saved"):
        suite.load(tmp_path)


def row(figure: float, spread: float, **more: object) -> Row:
    return Row(
        group="g",
        name="n",
        unit="us",
        ours=figure,
        figure=figure,
        figure_unit="us",
        interval=(figure - spread, figure + spread),
        **more,
    )


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (row(10, 1), row(13, 1), "worse"),
        (row(10, 1), row(7, 1), "better"),
        (row(10, 1), row(13, 4), "no difference"),
        (row(10, 4), row(13, 1), "no difference"),
        (row(10, 1, better="higher"), row(13, 1, better="higher"), "better"),
    ],
)
def test_a_row_differs_where_both_runs_expected_another_figure(report, before, after, verdict):
    earlier = msgspec.structs.replace(report, rows=[before])
    later = msgspec.structs.replace(report, rows=[after])
    (change,) = compare(earlier, later).rows
    assert (change.verdict, change.ratio) == (verdict, after.figure / before.figure)


def test_rows_that_only_one_run_has_are_named(report):
    bare = msgspec.structs.replace(report, rows=[])
    assert {change.verdict for change in compare(report, bare).rows} == {"gone"}
    assert {change.verdict for change in compare(bare, report).rows} == {"added"}


def test_another_machine_and_a_broken_off_run_are_noted(report):
    later = msgspec.structs.replace(
        report, machine=report.machine | {"cpu": "other"}, complete=False
    )
    notes = compare(report, later).notes
    assert notes[0].startswith("machine: cpu was")
    assert notes[1] == "the later run was not complete"


def test_two_benches_cannot_be_compared(report):
    other = msgspec.structs.replace(report, bench="other")
    with pytest.raises(BenchError, match="'made-up' and 'other'"):
        compare(report, other)


def test_the_command_line_compares_two_folders(report, tmp_path, capsys):
    suite.save(report, tmp_path)
    assert main(["bench", "compare", str(tmp_path), str(tmp_path)]) == DONE
    assert "3 no difference" in capsys.readouterr().out
    assert main(["bench", "compare", str(tmp_path), str(tmp_path / "none")]) == BAD_INPUT
    assert "none: expected what `zonesim bench` saved" in capsys.readouterr().err


def test_a_table_says_how_it_was_measured_then_each_row_and_the_notes(report):
    measured = Measured("first", report.rows[:2], ["nobody else is installed"])
    text = "\n".join([*head(report), *section(measured, report), *foot(report)])
    assert "zonesim bench made-up" in text
    assert "first (5 launches of 4 rounds)" in text
    assert "at most 3: pass" in text
    assert "theirs: 4.00  0.50 x" in text
    assert "  nobody else is installed" in text
    assert "goals: 1 pass" in text


@pytest.mark.parametrize(
    ("published", "note"), [(125.0, "theirs is 62x"), (1.0, "theirs is 0.50x")]
)
def test_a_published_figure_stands_beside_ours_and_changes_nothing(report, published, note):
    ours = alone("first", "a thing", "us", OURS)
    row = beside(ours, "others", published)
    assert (row.figure, row.interval, row.samples) == (ours.figure, ours.interval, ours.samples)
    assert (row.theirs, row.note) == (published, note)
    line = list(section(Measured("first", [row], []), report))[-1]
    assert line.count("2.00 us") == 1  # not once more as what is made of both


def test_changes_are_told_line_by_line(report):
    lines = list(changes_text(compare(report, report)))
    assert len(lines) == 2 + len(report.rows)
    assert lines[-1] == "3 no difference"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.6, "12,346"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")],
)
def test_figures_keep_the_digits_that_count(value, text):
    assert figure_text(value) == text


def test_the_direction_that_is_better_follows_from_the_goal():
    goal = Goal("at least", 1.2)
    found = Comparison("g", "n", "a", "ms", times_as_fast, "x", goal).row(OURS, THEIRS)
    assert (found.better, found.verdict) == ("higher", "pass")
