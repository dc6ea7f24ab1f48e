from __future__ import annotations

import contextlib
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_up_run import MS, row, step_info, writer
from msgspec.structs import replace

from zonesim.results import run_file
from zonesim.results.saved_run import (
    Event,
    OutputError,
    RunError,
    Summary,
    load_run,
    new_run_directory,
    summarise,
)
from zonesim.results.writer import RunWriter
from zonesim.zone.phases import phase_ns


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def write_run(directory: Path, limits: dict[str, float] | None = None) -> Summary:
    with writer(directory, limits=limits) as pen:
        for step, zones in enumerate((1, 2), start=1):
            pen.begin_step(step_info(step, zones))
            for zone in range(zones):
                pen.add_ticks(step, [row(zone, tick) for tick in range(25)])
            pen.add_worker(step, 0, 4_711, 9_900, 175, 2_000 * MS, 1)
            pen.add_event(Event(step, 10**15 + step, "worker-died", "signal 9", worker=0))
            pen.end_step(step, 10.0, 5.5)
        return pen.finish("9f00000000000001")


@contextlib.contextmanager
def files_of_at_most(size_bytes: int):
    """Make every write beyond a file size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_rows_come_back_as_they_were_measured(tmp_path):
    write_run(tmp_path)
    run = load_run(tmp_path)
    assert [len(step.rows) for step in run.steps] == [25, 50]
    assert run.steps[1].rows[26] == row(1, 1)
    assert run.steps[0].rows[3].late is True


def test_a_hash_of_64_bits_is_kept_as_hex_digits(tmp_path):
    write_run(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as database:
        found = database.execute("SELECT DISTINCT world_hash FROM ticks ORDER BY 1").fetchall()
    assert found == [("fffffffffffffffe",), ("ffffffffffffffff",)]


def test_a_run_knows_where_its_figures_come_from(tmp_path):
    write_run(tmp_path, {"lost": 0})
    info = load_run(tmp_path).info
    assert (info.scenario, info.seed, info.machine["cpu"]) == ("scale", 7, "Abacus 3")
    assert info.scenario_text.startswith("zones = [1, 2]")
    assert info.limits == {"lost": 0}
    assert datetime.fromisoformat(info.started_utc).tzinfo is UTC


def test_the_summary_computed_again_from_the_file_is_the_very_same(tmp_path):
    first = write_run(tmp_path, {"late_ratio": 0.01})
    assert summarise(load_run(tmp_path)) == first
    assert not first.limits.ok


def test_a_step_is_summed_up_with_its_workers(tmp_path):
    with writer(tmp_path) as pen:
        pen.begin_step(step_info(1, 2))
        pen.add_ticks(1, [row(zone, tick) for zone in range(2) for tick in range(25)])
        pen.add_worker(1, 0, 4_711, 9_900, 175, 4_000 * MS, 0)
        pen.end_step(1, 10.0, 5.5)
        (ended,) = pen.finish("").steps
    assert (ended.ticks, ended.tps, ended.pss_mb_per_zone) == (50, 2.5, 5.5)
    assert ended.worker_utilisation == pytest.approx(0.2)


def test_workers_whose_number_changed_count_for_as_long_as_they_were_there(tmp_path):
    with writer(tmp_path) as pen:
        pen.begin_step(step_info(1, 1))
        pen.add_worker(1, 0, 4_711, 9_900, 175, 4_000 * MS, 0)
        pen.end_step(1, 10.0, None, workers=1.25)
        (ended,) = pen.finish("").steps
    assert ended.workers == 1.25
    assert ended.worker_utilisation == pytest.approx(4 / (1.25 * 10))


def test_calls_carried_over_a_step_are_accounted_for(tmp_path):
    with writer(tmp_path) as pen:
        for step, (tick, completed, carried) in enumerate([(0, 390, 6), (1, 402, 0)], start=1):
            pen.begin_step(step_info(step, 1))
            pen.add_ticks(step, [row(0, tick, completed=completed, carried=carried)])
            pen.end_step(step, 0.4, None)
        assert [step.async_tasks.lost for step in pen.finish("").steps] == [0, 0]


def test_calls_carried_over_a_step_that_leaves_their_zone_out_are_accounted_for(tmp_path):
    with writer(tmp_path) as pen:
        for step, rows in enumerate(
            [
                [row(0, 0), row(1, 0, completed=390, carried=6)],
                [row(0, 1)],
                [row(0, 2), row(1, 1, completed=402)],
            ],
            start=1,
        ):
            pen.begin_step(step_info(step, len(rows)))
            pen.add_ticks(step, rows)
            pen.end_step(step, 0.4, None)
        assert [step.async_tasks.lost for step in pen.finish("").steps] == [0, 0, 0]


def test_ticks_that_a_zone_never_ran_are_missed_in_each_step_that_they_bound(tmp_path):
    with writer(tmp_path, limits={"missed_ratio": 0.0}) as pen:
        for step, ran in enumerate([(5, 5), (5, 2), (5, 0)], start=1):
            begin_ns = 10**15 + (step - 1) * 5 * 400 * MS
            info = replace(step_info(step, 2), origin_ns=10**15, begin_ns=begin_ns, ticks=5)
            pen.begin_step(info)
            for zone, ticks in enumerate(ran):
                first = (step - 1) * 5
                phase = phase_ns(zone, 400 * MS) - zone * MS
                of_zone = [row(zone, tick) for tick in range(first, first + ticks)]
                pen.add_ticks(
                    step,
                    [replace(r, scheduled_ns=r.scheduled_ns + phase) for r in of_zone],
                )
            pen.end_step(step, 2.0, None)
        summary = pen.finish("")

    assert [step.missed for step in summary.steps] == [0, 3, 5]
    assert len(summary.limits.broken) == 2
    assert load_run(tmp_path).steps[0].info.ticks == 5


def test_summary_json_has_the_documented_keys_and_is_indented(tmp_path):
    write_run(tmp_path, {"lost": 0})
    text = (tmp_path / "summary.json").read_text()
    found = json.loads(text)
    assert text.startswith('{\n  "format": 2,\n')
    assert list(found) == [
        "format",
        "scenario",
        "seed",
        "world_hash",
        "machine",
        "versions",
        "steps",
        "events",
        "limits",
        "failure",
    ]
    assert set(found["steps"][0]) == {
        *("zones", "zone_processes", "workers", "period_ms", "duration_s", "ticks", "late"),
        *("missed", "tick_ms", "lateness_ms", "response_ms", "tps", "tps_min", "isr"),
        *("utilisation", "main_thread_ms", "us_per_coroutine", "tasks", "async_tasks"),
        *("batches", "worker_utilisation", "pss_mb_per_zone", "breakdown_ms"),
    }
    assert found["world_hash"] == "9f00000000000001"
    assert found["limits"] == {"ok": True, "broken": []}
    assert found["events"][0]["detail"] == "signal 9"


def test_only_one_file_remains_of_the_database(tmp_path):
    write_run(tmp_path)
    assert names_in(tmp_path) == {"run.sqlite", "summary.json"}


def test_a_run_broken_off_keeps_the_rows_that_it_had(tmp_path):
    def break_off():
        with writer(tmp_path) as pen:
            pen.begin_step(step_info(1, 1))
            pen.add_ticks(1, [row(0, 0), row(0, 1)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    run = load_run(tmp_path)
    assert len(run.steps[0].rows) == 2
    assert run.info.world_hash == ""
    assert summarise(run).steps[0].tps == 0


def test_a_step_without_a_tick_can_be_saved_and_read(tmp_path):
    with writer(tmp_path) as pen:
        pen.begin_step(step_info(1, 3))
        pen.end_step(1, 0.0, None)
        first = pen.finish("")
    assert summarise(load_run(tmp_path)) == first
    assert first.steps[0].pss_mb_per_zone is None


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path):
    write_run(tmp_path)
    before = (tmp_path / "run.sqlite").read_bytes()
    with pytest.raises(OutputError, match=r"run\.sqlite: .*File exists") as refusal:
        writer(tmp_path)
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "run.sqlite").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="give another folder") as refusal:
        writer(tmp_path / "taken" / "run")
    assert "\n" not in str(refusal.value)


def fill(pen: RunWriter, steps: int, ticks: int) -> None:
    for step in range(1, steps + 1):
        pen.begin_step(step_info(step, 1))
        pen.add_ticks(step, [row(0, tick) for tick in range(ticks)])
        pen.end_step(step, 1.0, None)


def test_a_full_disk_ends_no_run_and_its_summary_has_all_figures(tmp_path):
    lines: list[str] = []
    with writer(tmp_path, lines.append) as pen, files_of_at_most(200_000):
        fill(pen, steps=3, ticks=600)
        summary = pen.finish("0" * 16)

    assert not pen.saved
    assert [step.ticks for step in summary.steps] == [600] * 3
    assert summary.world_hash == "0" * 16
    [line] = lines
    assert line.startswith(f"{tmp_path}/run.sqlite: the figures of the run cannot be written, got")
    [event] = summary.events
    assert event.kind == "results-unwritable"
    assert event.detail == line
    assert json.loads((tmp_path / "summary.json").read_text())["steps"][2]["ticks"] == 600


def test_what_was_saved_before_the_disk_was_full_is_a_run_that_can_be_read(tmp_path):
    with writer(tmp_path) as pen, files_of_at_most(200_000):
        fill(pen, steps=3, ticks=600)
        pen.finish("")

    ticks = [len(step.rows) for step in load_run(tmp_path).steps]

    assert ticks[0] > 0
    assert sum(ticks) < 3 * 600


def test_figures_that_a_full_disk_refused_are_saved_at_the_end_when_it_has_room_again(tmp_path):
    with writer(tmp_path) as pen:
        with files_of_at_most(200_000):
            fill(pen, steps=3, ticks=600)
            assert pen.wait_until_written()
        summary = pen.finish("")

    assert pen.saved
    assert [event.kind for event in summary.events] == ["results-unwritable"]
    assert summarise(load_run(tmp_path)) == summary
    assert names_in(tmp_path) == {"run.sqlite", "summary.json"}


def test_a_summary_that_cannot_be_written_is_told_once_and_leaves_no_half(tmp_path):
    lines: list[str] = []
    with writer(tmp_path, lines.append) as pen:
        for step in range(300):
            pen.begin_step(step_info(step, 1))
        size_bytes = (tmp_path / "run.sqlite").stat().st_size
        with files_of_at_most(size_bytes + 50_000):
            summary = pen.finish("")

    assert not pen.saved
    assert len(lines) == 1
    assert "summary.json" in lines[0]
    assert [event.detail for event in summary.events] == lines
    assert names_in(tmp_path) == {"run.sqlite"}
    assert len(load_run(tmp_path).steps) == 300


def vanish(folder: Path) -> None:
    """Remove it, whatever somebody writes there meanwhile."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("loss", [vanish, lambda folder: folder.rename(f"{folder}-moved")])
def test_a_folder_that_goes_in_the_middle_of_a_run_ends_no_run(tmp_path, loss):
    lines: list[str] = []
    with writer(tmp_path / "run", lines.append) as pen:
        fill(pen, steps=1, ticks=600)
        loss(tmp_path / "run")
        pen.begin_step(step_info(2, 1))
        pen.add_ticks(2, [row(0, 1000)])
        summary = pen.finish("")

    assert not pen.saved
    assert [step.ticks for step in summary.steps] == [600, 1]
    assert len(lines) == 1
    assert "the file is gone" in lines[0]
    assert not (tmp_path / "run").exists()


def test_memory_for_refused_figures_is_bounded_and_who_fills_it_hears_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(run_file, "HELD_PAGES_MAX", 64)
    lines: list[str] = []
    with writer(tmp_path, lines.append) as pen, files_of_at_most(100_000):
        fill(pen, steps=4, ticks=1_000)
        summary = pen.finish("")

    assert 0 < sum(step.ticks for step in summary.steps) < 4_000
    assert len(summary.steps) == 4
    assert ["cannot be written" in line for line in lines] == [True, True]
    assert "ticks from here on are not counted" in lines[1]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"holds run\.sqlite, this one does not"):
        load_run(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a database, only a text of some length\n" * 50])
def test_a_file_that_is_no_run_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "run.sqlite").write_bytes(content)
    with pytest.raises(RunError, match=r"run\.sqlite: expected the figures of a run") as refusal:
        load_run(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE runs SET format = 1", "format 1"),
        ("DELETE FROM runs", "format None"),
        ("UPDATE runs SET machine = '{'", "truncated"),
        ("UPDATE runs SET seed = 'x'", "seed"),
        ("UPDATE ticks SET world_hash = 'xyz'", "xyz"),
        ("ALTER TABLE ticks ADD COLUMN more", "argument"),
        ("DROP TABLE events", "no such table: events"),
    ],
)
def test_a_run_of_another_shape_is_refused_with_what_was_found(tmp_path, damage, found):
    write_run(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as database, database:
        database.execute(damage)
    with pytest.raises(RunError, match=found) as refusal:
        load_run(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_run_of_an_older_version_has_no_windows_and_is_read(tmp_path):
    before = write_run(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as database, database:
        for column in ("origin_ns", "begin_ns", "end_ns", "ticks"):
            database.execute(f"ALTER TABLE steps DROP COLUMN {column}")

    assert summarise(load_run(tmp_path)) == before


def test_a_run_folder_is_named_by_time_and_scenario(tmp_path):
    now = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    assert new_run_directory(tmp_path, "scale", now) == tmp_path / "20261123T101500Z-scale"


def test_a_run_folder_that_is_taken_gets_a_number(tmp_path):
    now = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    names = []
    for _ in range(3):
        path = new_run_directory(tmp_path, "scale", now)
        path.mkdir()
        names.append(path.name)
    assert names == [f"20261123T101500Z-scale{suffix}" for suffix in ("", "-2", "-3")]


KILLED_IN_A_WRITE = """
import os, signal, sys
from pathlib import Path
from zonesim.results.saved_run import FORMAT, RUN_FILE, SCHEMA
from zonesim.results.run_file import RunFile, insertion

file = RunFile(Path(sys.argv[1]) / RUN_FILE, SCHEMA, print)
file.begin("runs", (FORMAT, "chains", 1, "{}", "{}", "{}", "", "", "{}"))
add = insertion("events", ("",) * 7)
file.write(add, [(1, 1, "zone-died", "saved", 0, None, None)])

def rows():
    for number in range(8_000):
        if number == 7_900:  # more than its cache holds: some of it is in the file by now
            os.kill(os.getpid(), signal.SIGKILL)
        yield (1, number, "zone-died", "x" * 100, 0, None, None)

file.write(add, rows())
"""


def test_a_run_that_was_killed_in_the_middle_of_a_write_has_what_it_saved_before(
    tmp_path, source_environment
):
    subprocess.run(
        [sys.executable, "-c", KILLED_IN_A_WRITE, tmp_path],
        env=source_environment,
        check=False,
        timeout=60,
    )
    assert (tmp_path / "run.sqlite-journal").stat().st_size > 0

    assert [event.detail for event in load_run(tmp_path).events] == ["saved"]
