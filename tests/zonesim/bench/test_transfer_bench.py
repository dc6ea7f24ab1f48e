"""The measurement of the transfer runs, tells all its rows, and leaves nothing; times are free."""

from __future__ import annotations

import multiprocessing
import os

import msgspec
import pytest

import corororo as cr
from corororo._ring import candidate_bases
from zonesim.bench import peers_pooled, transfer, transfer_options
from zonesim.bench.core import CHAINS
from zonesim.bench.rows import Comparison, Goal, Row, floor, line
from zonesim.bench.transfer_options import Options
from zonesim.bench.turns import ratio

pytestmark = pytest.mark.timeout(100)

COMPARED = {  # how many rows of a group have a goal, without trio-parallel
    "b2b": 6,
    "paced": 6,
    "submit": 4,
    "added": 1,
    "alone": 1,
    "map": 2,
    "zones": 1,
}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    yield
    assert multiprocessing.active_children() == []
    pattern = f"*corororo-{os.getuid()}-{os.getpid()}-*"
    assert [found for base in candidate_bases() for found in base.glob(pattern)] == []


@pytest.fixture
def no_trio_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_pooled, "TRIO_PARALLEL", "no_such_library")


@pytest.fixture
def figures_of():
    """How the figure of each group comes from its two sides."""
    return {
        "added": lambda row: (row.ours - row.theirs) / CHAINS,
        "map": lambda row: row.theirs / row.ours,
        "zones": lambda row: row.ours,
    }


def options(*arguments: str) -> Options:
    return transfer_options.parse(arguments, list(transfer.GROUPS), "")


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> transfer.Report:
    assert transfer.run(options("--json", *arguments)) == 0
    return msgspec.json.decode(capsys.readouterr().out, type=transfer.Report, strict=True)


# -- what is measured


@pytest.mark.usefixtures("no_trio_parallel")
def test_one_json_document_holds_every_row(capsys: pytest.CaptureFixture[str], figures_of) -> None:
    found = report(capsys, "--rounds", "1")
    compared = [row for row in found.rows if row.goal is not None]
    assert {group: [row.group for row in compared].count(group) for group in COMPARED} == COMPARED
    for row in compared:
        figure_of = figures_of.get(row.group, lambda row: row.ours / row.theirs)
        assert row.figure == pytest.approx(figure_of(row))
        assert row.interval is not None
        assert row.interval[0] <= row.interval[1]
        assert row.verdict == ("pass" if row.goal.holds(row.figure) else "falls short")
        assert row.rounds == 1
    floors = [row for row in found.rows if row.goal is None]
    assert {row.group for row in floors} == {"b2b", "paced", "alone"}
    assert {row.verdict for row in floors} == {"floor"}


def test_a_quick_table_says_how_it_was_measured_and_then_each_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert transfer.run(options("--quick", "--rows", "alone,added", "--rounds", "2")) == 0
    machine, method, ours, titles, *rows = capsys.readouterr().out.splitlines()
    assert "CPython" in machine
    assert "load" in machine
    assert "rounds: added 2, alone 2" in method
    assert "garbage collector on" in method
    assert ours.startswith("2 workers")
    assert titles.split()[-1] == "goal"
    verdicts = [row.rpartition("  ")[2].rpartition(": ")[2] for row in rows]
    assert set(verdicts[:2]) <= {"pass", "falls short"}
    assert verdicts[2:] == ["floor", "floor"]


@pytest.mark.usefixtures("no_trio_parallel")
def test_a_peer_that_is_not_installed_is_named_and_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = report(capsys, "--rounds", "1", "--rows", "submit")
    assert found.conditions.notes == ["trio_parallel is not installed: its rows are skipped"]
    assert {row.against for row in found.rows} == {"ProcessPoolExecutor.submit"}


def test_a_peer_that_is_installed_has_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trio_parallel")
    found = report(capsys, "--rounds", "1", "--rows", "submit")
    assert found.conditions.notes == []
    assert [row.against for row in found.rows].count("trio_parallel.run_sync") == 4


def test_the_number_of_workers_decides_the_size_of_the_batches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = report(capsys, "--rounds", "1", "--rows", "b2b", "--workers", "1", "--idle", "backoff")
    assert found.conditions.workers == 1
    assert found.conditions.idle == "backoff"
    assert f"ProcessPoolExecutor.map, chunks of {CHAINS}" in {row.against for row in found.rows}


def test_an_error_of_the_library_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: cr.WorkerPool) -> None:
        raise cr.PoolFailed("the workers do not come up")

    monkeypatch.setattr(cr.WorkerPool, "start", fail)
    assert transfer.run(options("--rows", "alone")) == 1
    complaint = "python -m zonesim.bench.transfer: the workers do not come up\n"
    assert capsys.readouterr().err == complaint


# -- what a row says


def test_the_verdict_follows_the_goal() -> None:
    for goal, verdict in (
        (Goal("at most", 0.5), "pass"),
        (Goal("at most", 0.4), "falls short"),
        (Goal("at least", 0.5), "pass"),
        (Goal("at least", 0.6), "falls short"),
        (None, "floor"),
    ):
        row = Comparison("b2b", "a tick", "theirs", "us", ratio, goal).row([1.0], [2.0])
        assert (row.figure, row.verdict) == (0.5, verdict)


def test_a_line_shows_the_figure_its_interval_and_its_goal() -> None:
    goal = Goal("at least", 1.2, "times as fast")
    row = Row("map", "many", "them", "ms", 2.0, 5, 3.0, 1.5, (1.25, 1.75), goal, "pass")
    assert line(row).split("  ")[-1] == "at least 1.2 times as fast: pass"
    assert "[1.250, 1.750]" in line(row)
    assert line(floor("alone", "least", "us", [4.0])).endswith("  floor")


# -- the options


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rows", "b2b,mop"], "'mop'"),
        (["--rows", ""], "''"),
        (["--workers", "0"], "'0'"),
        (["--workers", "-1"], "--workers"),
        (["--rounds", "many"], "'many'"),
        (["--idle", "doze"], "'doze'"),
        (["--placement", "away"], "'away'"),
        (["--quic"], "--quic"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options(*arguments)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    (complaint,) = captured.err.splitlines()
    assert complaint.startswith("python -m zonesim.bench.transfer: ")
    assert named in complaint


def test_a_placement_is_refused_where_the_library_has_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transfer_options.cr, "WorkerPool", lambda workers, *, idle: None)
    with pytest.raises(SystemExit):
        options("--placement", "home")
    (complaint,) = capsys.readouterr().err.splitlines()
    assert "knows no placement" in complaint


def test_a_placement_is_handed_on_where_the_library_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer_options.cr, "WorkerPool", lambda workers, *, placement: None)
    assert options("--placement", "home").pool_options() == {"placement": "home"}


@pytest.mark.parametrize(("name", "strategy"), list(transfer_options.IDLE.items()))
def test_an_idle_strategy_is_handed_on(name: str, strategy: type) -> None:
    assert isinstance(options("--idle", name).pool_options()["idle"], strategy)


def test_without_options_the_library_decides() -> None:
    assert options().pool_options() == {}


def test_rows_come_in_their_own_order_and_once() -> None:
    assert options("--rows", "zones,b2b,zones").groups == ["b2b", "zones"]


def test_workers_that_never_park_are_said_to_disturb() -> None:
    (note,) = transfer.conditions(options("--idle", "busy", "--rows", "b2b")).notes
    assert "never park" in note
    assert transfer.conditions(options("--idle", "adaptive", "--rows", "b2b")).notes == []


def test_a_quick_run_has_fewer_rounds_in_every_group() -> None:
    quick = transfer.conditions(options("--quick")).rounds
    full = transfer.conditions(options()).rounds
    assert all(quick[group] < full[group] for group in transfer.GROUPS)
