"""The pen of a run whose disk stalls: nobody waits for it but the end, and that not for ever."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_up_run import row, step_info, writer

from zonesim.results import run_queue
from zonesim.results import writer as run_writer
from zonesim.results.run_file import RunFile, insertion
from zonesim.results.saved_run import FORMAT, RUN_FILE, SCHEMA, Event, OutputError, load_run
from zonesim.results.writer import RunWriter

LIMIT_S = 60.0


@contextlib.contextmanager
def stalled(folder: Path) -> Iterator[None]:
    """Somebody lets nobody write the file of a run, or read it."""
    with contextlib.closing(sqlite3.connect(folder / RUN_FILE, timeout=LIMIT_S)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def pen(folder, told) -> Iterator[RunWriter]:
    """In a step that has begun, with nothing left to be written."""
    with writer(folder, told.append) as pen:
        pen.begin_step(step_info(1, 1))
        assert pen.wait_until_written()
        yield pen


def write_steps(pen: RunWriter, *steps: int) -> None:
    """Everything that there is to write of a step."""
    for step in steps:
        pen.begin_step(step_info(step, 1))
        pen.add_ticks(step, [row(0, tick) for tick in range(600)])
        pen.add_event(Event(step, step, "zone-died", f"in step {step}", zone=0))
        pen.add_worker(step, 1, 7, 1, 1, 1, 0)
        pen.end_step(step, 1.0, float(step))


def wait_until(condition: Callable[[], object]) -> None:
    """Poll until it holds; fails after a while."""
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_nobody_waits_while_the_disk_stalls_and_all_is_written_in_order_when_it_goes_on(
    pen, folder, told
):
    # Whoever writes in here would wait for ever: it is this thread that holds the disk up.
    with stalled(folder):
        write_steps(pen, 2, 3, 4)
        pen.tell_news()
    summary = pen.finish("0" * 16)

    run = load_run(folder)
    assert pen.saved
    assert told == []
    assert [step.pss_mb_per_zone for step in run.steps] == [None, 2.0, 3.0, 4.0]
    assert [step.rows for step in run.steps[1:]] == [[row(0, tick) for tick in range(600)]] * 3
    assert [event.detail for event in summary.events] == [f"in step {step}" for step in (2, 3, 4)]


def test_a_stall_that_lasts_is_told_once_to_whoever_asks_for_news_and_is_an_event(
    pen, folder, told, monkeypatch
):
    monkeypatch.setattr(run_writer, "STALLED_S", 0.05)
    with stalled(folder):
        write_steps(pen, 2)
        wait_until(lambda: pen._queue.stalled_s > run_writer.STALLED_S)
        assert told == []  # nobody has asked
        pen.tell_news()
        [line] = told
        pen.tell_news()
        assert told == [line]
    summary = pen.finish("")

    assert line.startswith(f"{folder}/run.sqlite: the disk has taken no figures of the run for ")
    assert line.endswith(" s; they wait in memory")
    assert ("results-stalled", line) in [(event.kind, event.detail) for event in summary.events]


def test_all_that_is_told_is_told_in_the_thread_of_the_run(folder):
    threads: list[threading.Thread] = []
    with writer(folder, lambda line: threads.append(threading.current_thread())) as pen:
        folder.rename(folder.with_name("away"))
        write_steps(pen, 1)
        pen.finish("")

    assert threads == [threading.current_thread()]


def test_a_file_that_is_locked_for_long_has_the_run_go_on_in_memory_and_is_saved_in_the_end(
    pen, folder, told
):
    pen._file.database.execute("PRAGMA busy_timeout = 20")
    with stalled(folder):
        write_steps(pen, 2)
        wait_until(lambda: pen._queue.stalled_s >= 0.5)
    write_steps(pen, 3)
    summary = pen.finish("0" * 16)

    assert pen.saved
    [line] = told
    assert "cannot be written, got: database is locked" in line
    assert [step.ticks for step in summary.steps] == [0, 600, 600]
    assert [len(step.rows) for step in load_run(folder).steps] == [0, 600, 600]


@pytest.mark.parametrize("hurried", [False, True])
def test_the_end_of_a_run_waits_with_patience_for_a_disk_that_stalls_for_good(
    folder, told, monkeypatch, hurried
):
    with contextlib.ExitStack() as stall:

        def run() -> None:
            with writer(folder, told.append) as pen:
                write_steps(pen, 1)
                assert pen.wait_until_written()
                threads.append(pen._queue._thread)
                stall.enter_context(stalled(folder))
                monkeypatch.setattr(run_writer, "HURRY_S" if hurried else "PATIENCE_S", 0.3)
                monkeypatch.setattr(run_writer, "PATIENCE_S" if hurried else "HURRY_S", LIMIT_S)
                pen.add_event(Event(1, 1, "zone-died", "", zone=0))
                pen.finish("0" * 16, lambda: hurried)

        threads: list[threading.Thread] = []
        with pytest.raises(OutputError) as refusal:
            run()
    threads[0].join(LIMIT_S)

    [line] = str(refusal.value).splitlines()
    assert line.startswith(f"{folder}/run.sqlite: the disk has taken no figures of the run for")
    assert line.endswith("those that waited for it are not saved")
    assert len(load_run(folder).steps[0].rows) == 600  # what was saved before is there


def test_a_disk_that_stalls_at_the_very_end_leaves_the_summary_in_memory(
    pen, folder, told, monkeypatch
):
    go_on = threading.Event()
    monkeypatch.setattr(run_writer, "write_summary", lambda *_: go_on.wait(LIMIT_S))
    write_steps(pen, 2)
    assert pen.wait_until_written()
    monkeypatch.setattr(run_writer, "PATIENCE_S", 1.0)
    summary = pen.finish("0" * 16)
    go_on.set()

    assert not pen.saved
    assert summary.steps[1].ticks == 600
    assert told[-1].endswith("those that waited for it are not saved")


def test_a_run_that_fails_while_the_disk_stalls_ends_with_its_own_error(folder, told, monkeypatch):
    monkeypatch.setattr(run_writer, "HURRY_S", 0.3)
    with contextlib.ExitStack() as stall:

        def run() -> None:
            with writer(folder, told.append) as pen:
                stall.enter_context(stalled(folder))
                write_steps(pen, 1)
                threads.append(pen._queue._thread)
                raise RuntimeError("no zone is left")

        threads: list[threading.Thread] = []
        with pytest.raises(RuntimeError, match="no zone is left"):
            run()
    threads[0].join(LIMIT_S)
    assert not threads[0].is_alive()
    assert told[-1].endswith("those that waited for it are not saved")


def slow(pen: RunWriter, monkeypatch, write_s: float) -> None:
    """Have each write take so long."""
    write_all = pen._file._write_all

    def write(statement, rows):
        time.sleep(write_s)
        write_all(statement, rows)

    monkeypatch.setattr(pen._file, "_write_all", write)


def test_a_run_ends_though_each_write_takes_longer_than_a_stall(pen, told, monkeypatch):
    monkeypatch.setattr(run_writer, "STALLED_S", 0.05)
    slow(pen, monkeypatch, 0.15)
    write_steps(pen, 2, 3)
    summary = pen.finish("0" * 16)

    assert pen.saved
    assert len(told) == 1
    assert [event.kind for event in summary.events].count("results-stalled") == 1


def test_who_wants_the_end_soon_does_not_wait_for_one_slow_write_after_another(folder, monkeypatch):
    monkeypatch.setattr(run_writer, "HURRY_S", 0.5)

    def run() -> None:
        with writer(folder) as pen:
            slow(pen, monkeypatch, 0.1)
            for step in range(1, 1_000):
                write_steps(pen, step)
            threads.append(pen._queue._thread)
            pen.finish("0" * 16, lambda: True)

    threads: list[threading.Thread] = []
    with pytest.raises(OutputError, match="are not saved"):
        run()
    threads[0].join(LIMIT_S)


def test_a_disk_that_refuses_a_folder_whose_name_is_no_text_is_an_event_like_any_other(
    tmp_path, told
):
    folder = tmp_path / os.fsdecode(b"run\xff")
    with writer(folder, told.append) as pen:
        folder.rename(tmp_path / "away")
        write_steps(pen, 1)
        summary = pen.finish("")

    [line] = told
    assert line.startswith(f"{tmp_path}/run\\udcff/run.sqlite: the figures of the run cannot be")
    assert ("results-unwritable", line) in [(event.kind, event.detail) for event in summary.events]


def test_what_is_written_after_a_late_save_is_in_the_file_as_well(tmp_path, told):
    folder, away = tmp_path / "run", tmp_path / "away"
    folder.mkdir()
    file = RunFile(folder / RUN_FILE, SCHEMA, told.append)
    with contextlib.closing(file):
        file.begin("runs", (FORMAT, "chains", 1, "{}", "{}", "{}", "", "", "{}"))
        folder.rename(away)
        add = insertion("events", ("",) * 7)
        file.write(add, [(1, 1, "zone-died", "while it was away", 0, None, None)])
        assert len(told) == 1
        away.rename(folder)
        assert file.save()
        file.write(add, [(1, 2, "zone-died", "afterwards", 0, None, None)])

    details = [event.detail for event in load_run(folder).events]
    assert details == ["while it was away", "afterwards"]


def test_a_slow_disk_slows_down_whoever_writes_and_no_more_when_the_run_ends(pen, folder):
    pen.slow_down(LIMIT_S, time.monotonic_ns() + 10**12)
    began_s = time.monotonic()
    write_steps(pen, 2, 3)
    assert not pen._queue.wait(0.2)
    summary = pen.finish("")

    assert time.monotonic() - began_s < LIMIT_S
    assert pen.saved
    assert [step.ticks for step in summary.steps] == [0, 600, 600]


def test_a_slow_disk_is_as_fast_as_ever_from_its_moment_on(pen):
    pen.slow_down(LIMIT_S, time.monotonic_ns())
    write_steps(pen, 2)
    assert pen._queue.wait(LIMIT_S / 2)


def test_what_waits_for_a_disk_is_bounded_and_who_has_masses_of_it_is_told_once(
    pen, folder, told, monkeypatch
):
    monkeypatch.setattr(run_queue, "QUEUED_ROWS_MAX", 1_500)
    with stalled(folder):
        write_steps(pen, 2, 3, 4, 5)
    summary = pen.finish("")

    assert pen.saved
    [line] = told
    assert line.endswith("the memory for them is full, and ticks from here on are not counted")
    assert [step.ticks for step in summary.steps] == [0, 600, 600, 0, 0]
    assert [event.kind for event in summary.events].count("zone-died") == 4


def test_a_slow_disk_has_fewer_writes_to_do_the_more_there_is_to_write(pen, folder):
    with stalled(folder):
        for number in range(1_000):
            pen.add_event(Event(1, number, "zone-died", str(number), zone=0))
    before = pen._file._writes
    summary = pen.finish("")

    assert pen._file._writes - before <= 3
    assert [event.detail for event in summary.events] == [str(number) for number in range(1_000)]


def test_figures_that_cannot_even_be_read_any_more_end_the_run_where_news_are_asked_for(folder):
    def run() -> None:
        with writer(folder) as pen:
            (folder / RUN_FILE).write_bytes(b"nonsense" * 10_000)
            write_steps(pen, 1)
            assert pen._queue.wait(LIMIT_S)
            pen.tell_news()

    with pytest.raises(OutputError, match=r"run\.sqlite: figures of a run must be written, got"):
        run()


def test_a_write_that_was_taken_though_it_was_refused_is_not_made_twice(pen, folder, monkeypatch):
    """As where the folder goes in the middle of it, and with it what it is rolled back by."""
    write_all = pen._file._write_all

    def write_and_refuse(statement, rows):
        monkeypatch.undo()
        write_all(statement, rows)
        pen._file._writes -= 1
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(pen._file, "_write_all", write_and_refuse)
    pen.add_ticks(1, [row(0, tick) for tick in range(600)])
    assert pen.wait_until_written()
    summary = pen.finish("")

    assert summary.steps[0].ticks == 600
    assert pen.saved


def test_a_file_that_cannot_be_made_is_refused_at_once_and_leaves_no_thread(tmp_path):
    before = threading.active_count()
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError):
        writer(tmp_path / "taken" / "run")
    assert threading.active_count() == before
