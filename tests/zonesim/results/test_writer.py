from __future__ import annotations

import contextlib
import json
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_up_run import row, run_info, step_info

from zonesim.results import writer as run_writer
from zonesim.results.saved_run import RUN_FILE, Event, OutputError, load_run
from zonesim.results.writer import RunWriter

LIMIT_S = 60.0


@contextlib.contextmanager
def stalled(folder: Path) -> Iterator[None]:
    """Another process locks the file of a run."""
    with contextlib.closing(sqlite3.connect(folder / RUN_FILE, timeout=LIMIT_S)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def files_of_at_most(size_bytes: int):
    """Make every write beyond a file size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def writer(folder) -> Iterator[RunWriter]:
    with RunWriter(folder, run_info()) as writer:
        yield writer


def save_steps(writer: RunWriter, *steps: int) -> None:
    for step in steps:
        writer.begin_step(step_info(step, 1))
        writer.add_ticks(step, [row(0, tick) for tick in range(600)])
        writer.add_event(Event(step, step, "zone-died", f"in step {step}", zone=0))
        writer.end_step(step, 1.0, float(step))


def wait_until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_all_is_written_in_order_when_a_stalled_disk_goes_on(writer, folder):
    with stalled(folder):  # by this thread: it would never return if it waited for the disk
        save_steps(writer, 1, 2, 3)
    summary = writer.finish("0" * 16)

    run = load_run(folder)
    assert (writer.failure, writer.unsaved) == (None, None)
    assert [step.pss_mb_per_zone for step in run.steps] == [1.0, 2.0, 3.0]
    assert [step.rows for step in run.steps] == [[row(0, tick) for tick in range(600)]] * 3
    assert [event.detail for event in summary.events] == [f"in step {step}" for step in (1, 2, 3)]


def test_a_full_disk_is_reported_once_and_the_summary_covers_what_was_saved(writer, folder):
    with files_of_at_most(200_000):
        save_steps(writer, 1)
        wait_until(lambda: load_run(folder).steps)
        save_steps(writer, 2, 3)
        wait_until(lambda: writer.failure)
        save_steps(writer, 4)
        summary = writer.finish("0" * 16)

    assert writer.failure.detail.startswith(f"{folder}/run.sqlite: figures of the run cannot be")
    assert f"{folder}/run.sqlite: 1810 rows of figures are not saved: " in writer.unsaved
    assert [step.ticks for step in summary.steps] == [600]
    assert [event.kind for event in summary.events] == ["zone-died", "results-unwritable"]
    assert summary.world_hash == "0" * 16
    assert json.loads((folder / "summary.json").read_text())["steps"][0]["ticks"] == 600


def test_a_summary_that_cannot_be_written_is_reported_and_leaves_no_half(writer, folder):
    for step in range(300):
        writer.begin_step(step_info(step, 1))
    wait_until(lambda: len(load_run(folder).steps) == 300)
    with files_of_at_most((folder / RUN_FILE).stat().st_size + 50_000):
        writer.finish("")

    assert writer.unsaved.startswith(f"{folder}/summary.json: cannot be written: ")
    assert [path.name for path in folder.iterdir()] == ["run.sqlite"]
    assert len(load_run(folder).steps) == 300


def test_a_queue_that_is_full_drops_what_comes_later(writer, folder, monkeypatch):
    monkeypatch.setattr(run_writer, "QUEUED_ROWS_MAX", 1_500)
    with stalled(folder):
        save_steps(writer, 1, 2, 3, 4)
    summary = writer.finish("")

    assert "the queue of the writer is full" in writer.failure.detail
    assert " 1206 rows of figures" in writer.unsaved
    assert [step.ticks for step in summary.steps] == [600, 600, 0]


@pytest.mark.parametrize("hurried", [False, True])
def test_the_end_waits_a_bounded_time_for_a_disk_that_stalls(folder, monkeypatch, hurried):
    monkeypatch.setattr(run_writer, "HURRIED_S", 0.3 if hurried else LIMIT_S)
    monkeypatch.setattr(run_writer, "PATIENCE_S", LIMIT_S if hurried else 0.3)
    with RunWriter(folder, run_info()) as writer:
        save_steps(writer, 1)
        wait_until(lambda: load_run(folder).steps)
        with stalled(folder):
            save_steps(writer, 2)
            summary = writer.finish("0" * 16, lambda: hurried)

    assert " 604 rows of figures are not saved: the disk took no figures for" in writer.unsaved
    assert [event.kind for event in summary.events] == ["results-unwritable"]
    assert not (folder / "summary.json").exists()
    assert len(load_run(folder).steps[0].rows) == 600
    writer._thread.join(LIMIT_S)


def test_a_run_that_fails_while_the_disk_stalls_ends_with_its_own_error(folder, monkeypatch):
    monkeypatch.setattr(run_writer, "HURRIED_S", 0.3)
    writer = RunWriter(folder, run_info())

    def fail() -> None:
        with writer:
            save_steps(writer, 1)
            raise RuntimeError("no zone is left")

    with stalled(folder), pytest.raises(RuntimeError, match="no zone is left"):
        fail()
    writer._thread.join(LIMIT_S)


def test_a_slow_disk_delays_each_write_until_the_end_of_the_run_at_most(writer, folder):
    writer.slow_down(10 * LIMIT_S, time.monotonic_ns() + 10**12)
    save_steps(writer, 1)

    assert [step.ticks for step in writer.finish("").steps] == [600]


def test_a_run_that_is_broken_off_keeps_the_rows_that_it_had(folder):
    with contextlib.suppress(KeyboardInterrupt), RunWriter(folder, run_info()) as writer:
        writer.begin_step(step_info(1, 1))
        writer.add_ticks(1, [row(0, 0), row(0, 1)])
        raise KeyboardInterrupt

    run = load_run(folder)
    assert len(run.steps[0].rows) == 2
    assert run.info.world_hash == ""


def test_a_folder_that_holds_a_run_is_not_overwritten(folder):
    with RunWriter(folder, run_info()) as writer:
        writer.finish("")
    before = (folder / RUN_FILE).read_bytes()
    with pytest.raises(OutputError, match=r"run\.sqlite: .*File exists"):
        RunWriter(folder, run_info())
    assert (folder / RUN_FILE).read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused_in_one_line_and_leaves_no_thread(tmp_path):
    before = threading.active_count()
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written: Not a directory") as refusal:
        RunWriter(tmp_path / "taken" / "run", run_info())
    assert "\n" not in str(refusal.value)
    assert threading.active_count() == before


KILLED_IN_A_WRITE = """
import os, signal, sys, time
from pathlib import Path
sys.path.append(sys.argv[2])
from made_up_run import run_info
from zonesim.results.saved_run import Event, load_run
from zonesim.results.writer import RunWriter

folder = Path(sys.argv[1])
writer = RunWriter(folder, run_info())
writer.add_event(Event(1, 1, "zone-died", "saved", zone=0))
while not load_run(folder).events:
    time.sleep(0.01)

def rows():
    for number in range(8_000):
        if number == 7_900:  # more than the page cache holds: some of it is in the file by now
            os.kill(os.getpid(), signal.SIGKILL)
        yield (1, number, "zone-died", "x" * 100, 0, None, None)

writer._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
"""


def test_a_run_that_is_killed_in_the_middle_of_a_write_keeps_what_it_had_saved(
    folder, source_environment
):
    here = Path(__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", KILLED_IN_A_WRITE, folder, here],
        env=source_environment,
        check=False,
        timeout=60,
    )
    assert (folder / "run.sqlite-journal").stat().st_size > 0
    assert [event.detail for event in load_run(folder).events] == ["saved"]
