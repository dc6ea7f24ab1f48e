from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from made_up_run import MS, row, run_info, step_info
from msgspec.structs import replace

from zonesim.results.saved_run import (
    Event,
    Packing,
    RunError,
    Summary,
    WorkerRow,
    load_run,
    new_run_directory,
    run_folder_of,
    summarise,
)
from zonesim.results.writer import RunWriter
from zonesim.zone.schedule import phase_ns

PACKED = Packing(2, 150, 230, "300 zones in 2 processes")


def write_run(directory: Path, limits: dict[str, float] | None = None) -> Summary:
    with RunWriter(directory, run_info(limits=limits or {}, packing=PACKED)) as writer:
        for step, zones in enumerate((1, 2), start=1):
            writer.begin_step(step_info(step, zones))
            for zone in range(zones):
                writer.add_ticks(step, [row(zone, tick) for tick in range(25)])
            writer.add_worker(WorkerRow(step, 1, 4_711, 9_900, 175, 2_000 * MS, 1))
            writer.add_event(Event(step, 10**15 + step, "worker-died", "by signal 9", worker=1))
            writer.end_step(step, 10.0, 5.5)
        return writer.finish("9f00000000000001")


def test_a_run_comes_back_as_it_was_measured(tmp_path):
    write_run(tmp_path, {"lost": 0})
    run = load_run(tmp_path)
    info = run_info(world_hash="9f00000000000001", limits={"lost": 0}, packing=PACKED)
    assert run.info == info
    assert [len(step.rows) for step in run.steps] == [25, 50]
    assert run.steps[1].rows[26] == row(1, 1)
    assert run.steps[0].rows[3].late is True
    assert run.events[1] == Event(2, 10**15 + 2, "worker-died", "by signal 9", worker=1)
    assert {path.name for path in tmp_path.iterdir()} == {"run.sqlite", "summary.json"}


def test_the_summary_computed_again_from_the_file_is_the_very_same(tmp_path):
    first = write_run(tmp_path, {"late_ratio": 0.01})
    assert summarise(load_run(tmp_path)) == first
    assert not first.limits.ok


@pytest.mark.parametrize("mean_workers", [None, 1.25])
def test_a_step_is_summed_up_with_the_workers_that_it_had_over_time(tmp_path, mean_workers):
    with RunWriter(tmp_path, run_info()) as writer:
        writer.begin_step(step_info(1, 2))
        writer.add_ticks(1, [row(zone, tick) for zone in range(2) for tick in range(25)])
        writer.add_worker(WorkerRow(1, 1, 4_711, 9_900, 175, 4_000 * MS, 0))
        writer.end_step(1, 10.0, 5.5, workers=mean_workers)
        (ended,) = writer.finish("").steps
    assert (ended.ticks, ended.tps, ended.pss_mb_per_zone) == (50, 2.5, 5.5)
    assert ended.workers == (mean_workers or 2)
    assert ended.worker_utilisation == pytest.approx(4 / (ended.workers * 10))


def test_calls_carried_over_a_step_that_leaves_their_zone_out_are_accounted_for(tmp_path):
    with RunWriter(tmp_path, run_info()) as writer:
        for step, rows in enumerate(
            [
                [row(0, 0), row(1, 0, async_completed=390, carried=6)],
                [row(0, 1)],
                [row(0, 2), row(1, 1, async_completed=402)],
            ],
            start=1,
        ):
            writer.begin_step(step_info(step, len(rows)))
            writer.add_ticks(step, rows)
            writer.end_step(step, 0.4, None)
        assert [step.async_tasks.lost for step in writer.finish("").steps] == [0, 0, 0]


def test_ticks_that_a_zone_never_ran_are_missed_in_each_step_that_they_bound(tmp_path):
    with RunWriter(tmp_path, run_info(limits={"missed_ratio": 0.0})) as writer:
        for step, ran in enumerate([(5, 5), (5, 2), (5, 0)], start=1):
            begin_ns = 10**15 + (step - 1) * 5 * 400 * MS
            info = replace(step_info(step, 2), origin_ns=10**15, begin_ns=begin_ns, ticks=5)
            writer.begin_step(info)
            for zone, ticks in enumerate(ran):
                first = (step - 1) * 5
                phase = phase_ns(zone, 400 * MS) - zone * MS
                of_zone = [row(zone, tick) for tick in range(first, first + ticks)]
                writer.add_ticks(
                    step,
                    [replace(r, scheduled_ns=r.scheduled_ns + phase) for r in of_zone],
                )
            writer.end_step(step, 2.0, None)
        summary = writer.finish("")

    assert [step.missed for step in summary.steps] == [0, 3, 5]
    assert len(summary.limits.broken) == 2


def test_summary_json_has_the_documented_keys_and_is_indented(tmp_path):
    write_run(tmp_path, {"lost": 0})
    text = (tmp_path / "summary.json").read_text()
    found = json.loads(text)
    assert text.startswith('{\n  "format": 1,\n')
    assert list(found) == [
        *("format", "verdict", "holds", "packing", "scenario", "seed", "world_hash", "machine"),
        *("versions", "steps", "events", "limits", "failure"),
    ]
    assert set(found["steps"][0]) == {
        *("zones", "zone_processes", "workers", "period_ms", "duration_s", "ticks", "late"),
        *("missed", "tick_ms", "lateness_ms", "response_ms", "tps", "tps_min", "isr"),
        *("utilisation", "main_thread_ms", "us_per_coroutine", "tasks", "async_tasks"),
        *("batches", "worker_utilisation", "cores_left", "cores_stolen", "pss_mb_per_zone"),
        "breakdown_ms",
    }
    assert found["world_hash"] == "9f00000000000001"
    assert found["limits"] == {"ok": True, "broken": []}
    assert found["events"][0]["detail"] == "by signal 9"


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"expected the folder of a run, found no run\.sqlite"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (lambda written: b"a text of some length\n" * 50, "file is not a database"),
        (lambda written: written[:3000], "database disk image is malformed"),
        (lambda written: b"", "no table of runs"),
    ],
    ids=["a text", "truncated", "empty"],
)
def test_a_file_that_is_no_run_is_refused_as_that(tmp_path, content, found):
    write_run(tmp_path)
    path = tmp_path / "run.sqlite"
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(RunError) as refusal:
        load_run(tmp_path)
    assert str(refusal.value) == (
        f"{path}: expected the figures of a run, found: {found}; run the scenario again"
    )


def test_a_run_that_another_process_has_locked_can_be_read_later(tmp_path, monkeypatch):
    write_run(tmp_path)
    path = tmp_path / "run.sqlite"
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RunError) as refusal:
            load_run(tmp_path)
    assert str(refusal.value) == (
        f"{path}: cannot be read: database is locked; try again when the process that uses it "
        "has ended"
    )
    load_run(tmp_path)


def test_a_run_may_be_named_by_any_of_its_files(tmp_path):
    run = tmp_path / "run"
    write_run(run)
    assert [run_folder_of(run / name) for name in ("", "run.sqlite", "summary.json")] == [run] * 3
    assert run_folder_of(run / "report.html") == run / "report.html"  # it is not there


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE runs SET format = 2", "format 2"),
        ("DELETE FROM runs", "no run in its table"),
        ("UPDATE runs SET machine = '{'", "truncated"),
        ("UPDATE runs SET seed = 'x'", "seed"),
        ("UPDATE ticks SET world_hash = 'xyz'", "xyz"),
        ("ALTER TABLE ticks DROP COLUMN world_hash", "tables with other columns"),
        ("DROP TABLE events", "tables with other columns"),
    ],
)
def test_a_run_of_another_shape_is_refused_with_what_was_found(tmp_path, damage, found):
    write_run(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as database, database:
        database.execute(damage)
    with pytest.raises(RunError, match=found) as refusal:
        load_run(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_run_folder_is_named_by_time_and_scenario_and_numbered_if_that_is_taken(tmp_path):
    now = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    names = []
    for _ in range(3):
        path = new_run_directory(tmp_path, "scale", now)
        path.mkdir()
        names.append(path.name)
    assert names == [f"20261123T101500Z-scale{suffix}" for suffix in ("", "-2", "-3")]
