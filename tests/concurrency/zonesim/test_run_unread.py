"""Runs whose terminal or pipe nobody reads: they go on, are saved, and end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios

import pytest
from zonesim_runs import PATIENCE_S, a_worker_has_calls, needs_titles, saved

DURATION_S = 1
ZONES, PERIOD_MS = 3, 10
SMALL = ("--set", f"period_ms={PERIOD_MS}", "--set", "chains.chains=4")
RUN = ("run", "chains", "--zones", str(ZONES), *SMALL, "--out", "run")
SHORT = (*RUN, "--duration", str(DURATION_S))
LONG = (*RUN, "--duration", "600")
STUCK = (*LONG, "--set", "chains.work=sleep:60000ms", "--workers", "1")
SETTLED_S = 0.5  # in which a terminal has moved what it holds
BLOCKED_S = 10.0  # for an end that waits a second for the view, and one for its last words


class Ends:
    """The two ends of a terminal or a pipe."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer

    def fill(self) -> Ends:
        """Leave no room for one byte more."""
        os.set_blocking(self.writer, False)
        self._write_all_it_takes()
        # A terminal takes a moment to move what it holds to its reader's side, and has room again.
        while select.select([], [self.writer], [], SETTLED_S)[1]:
            self._write_all_it_takes()
        os.set_blocking(self.writer, True)
        return self

    def _write_all_it_takes(self) -> None:
        for filling in (b"." * 99 + b"\n", b"."):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(self.writer, filling)

    def close_writer(self) -> None:
        """Leave the writing to who was started with it."""
        os.close(self.writer)
        self.writer = -1

    def read_on(self) -> str:
        """All that comes until the other end is closed, without what the room was filled with."""
        parts = []
        with contextlib.suppress(OSError):  # that is how the end of a terminal looks
            while part := self.read_some():
                parts.append(part)
        return b"".join(parts).decode().lstrip(".\r\n")

    def read_some(self) -> bytes:
        readable, _, _ = select.select([self.reader], [], [], PATIENCE_S)
        assert readable, f"nothing came for {PATIENCE_S:.0f} s"
        return os.read(self.reader, 1 << 16)

    def close(self) -> None:
        for end in (self.reader, self.writer):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def terminal():
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    ends = Ends(reader, writer)
    yield ends
    ends.close()


@pytest.fixture
def pipe():
    ends = Ends(*os.pipe())
    yield ends
    ends.close()


@pytest.fixture(params=["terminal", "pipe"])
def unread(request):
    """Something to write to that nobody reads, and that is full."""
    return request.getfixturevalue(request.param).fill()


# Each promise is tried on one of them; the other takes as long, and few promises differ there.
first_a_terminal = pytest.mark.parametrize(
    "unread", ["terminal", pytest.param("pipe", marks=pytest.mark.slow)], indirect=True
)
first_a_pipe = pytest.mark.parametrize(
    "unread", ["pipe", pytest.param("terminal", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture
def start_unread(start):
    def start_on(ends, *arguments, **options):
        environment = {"TERM": "xterm-256color"}
        command = start(*arguments, stderr=ends.writer, environment=environment, **options)
        if options.get("stdout") != ends.writer:
            ends.close_writer()
        return command

    return start_on


def is_whole(folder) -> bool:
    """Whether all files of a run are written, with all ticks that were due."""
    summary = json.loads((folder / "summary.json").read_text())
    [[world_hash]] = saved(folder, "SELECT world_hash FROM runs")
    [[ticks]] = saved(folder, "SELECT count(*) FROM ticks")
    assert world_hash == summary["world_hash"]
    assert ticks == summary["steps"][0]["ticks"]
    return bool(world_hash)


def zones_and_workers(command):
    return [line for line in command.processes().values() if line.startswith("zonesim ")]


def test_a_run_goes_on_and_ends_though_nobody_reads(start_unread, unread, tmp_path):
    command = start_unread(unread, *SHORT)

    ended = command.finish()

    assert ended.code == 0
    assert is_whole(tmp_path / "run")
    [[ticks, missed]] = saved(tmp_path / "run", "SELECT count(*), sum(missed) FROM ticks")
    assert ticks + missed == ZONES * DURATION_S * 1000 // PERIOD_MS
    assert "world hash" in ended.output


@needs_titles
@first_a_terminal
def test_a_zone_that_dies_is_replaced_though_nobody_reads(start_unread, unread, tmp_path):
    command = start_unread(unread, *LONG)
    command.wait_until_it_ticks(tmp_path / "run")
    os.kill(command.wait_for_process("zonesim zone 1"), signal.SIGKILL)

    restarted = "SELECT * FROM events WHERE kind = 'zone-restarted'"
    command.wait_until(lambda: saved(tmp_path / "run", restarted), "zone in its place")

    command.signal(signal.SIGINT)
    assert command.finish().code == 130
    assert is_whole(tmp_path / "run")


def test_who_reads_again_sees_the_run_as_it_is_then(start_unread, terminal, tmp_path):
    command = start_unread(terminal.fill(), *LONG)
    command.wait_for_ticks(tmp_path / "run")

    shown = ""
    while not (elapsed := re.search(r"([0-9.]+) of 600 s", shown)):
        shown += terminal.read_some().decode()

    assert float(elapsed[1]) > 1.0  # for so many ticks it takes longer
    assert "ready" not in shown  # of what was before
    command.signal(signal.SIGINT)
    rest = terminal.read_on()
    assert command.finish().code == 130
    assert rest.endswith("\x1b[?25h")


def test_lines_that_wait_for_a_reader_keep_their_order(start_unread, pipe, tmp_path):
    command = start_unread(pipe.fill(), *SHORT)
    command.wait_for_ticks(tmp_path / "run")

    lines = pipe.read_on().splitlines()

    assert command.finish().code == 0
    assert [line.split(" after ")[0] for line in lines] == [
        "step 1 of 1, 3 zones: starting",
        "step 1 of 1, 3 zones: ended",
    ]


def test_who_reads_all_the_time_gets_all_lines(start):
    steps = range(1, 6)
    zones = ",".join(map(str, steps))
    command = start("run", "chains", "--zones", zones, "--ticks", "2", "--set", "period_ms=10")

    ended = command.finish()

    assert ended.code == 0
    lines = ended.error.splitlines()
    assert [line.partition(", ")[0] for line in lines] == [
        f"step {step} of {len(steps)}" for step in steps for _ in ("starting", "ended")
    ]
    assert ["ended after" in line for line in lines] == [False, True] * len(steps)


@pytest.mark.parametrize(
    ("unread", "stdout"),
    [
        ("terminal", "that is not read"),
        ("pipe", "that is read"),
        pytest.param("terminal", "that is read", marks=pytest.mark.slow),
        pytest.param("pipe", "that is not read", marks=pytest.mark.slow),
    ],
    indirect=["unread"],
)
def test_two_signals_end_a_run_though_nobody_reads(start_unread, unread, tmp_path, stdout):
    options = {} if stdout == "that is read" else {"stdout": unread.writer}
    command = start_unread(unread, *LONG, "--json", **options)
    command.wait_until_it_ticks(tmp_path / "run")

    command.signal_all(signal.SIGINT)
    command.wait_until((tmp_path / "run" / "summary.json").exists, "summary")
    command.signal_all(signal.SIGINT)

    assert command.finish(BLOCKED_S).code == 130
    assert is_whole(tmp_path / "run")


@first_a_pipe
def test_two_signals_end_a_run_whose_tick_does_not_end(start_unread, unread, tmp_path):
    command = start_unread(unread, *STUCK, stdout=unread.writer)
    command.wait_for_step(tmp_path / "run")  # until then a zone rehearses
    command.wait_until(lambda: a_worker_has_calls(command), "tick")

    command.signal_all(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        command.finish(timeout_s=1.0)
    command.signal_all(signal.SIGINT)

    assert command.finish(BLOCKED_S).code == 130
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"]


@needs_titles
@first_a_terminal
def test_a_run_has_ended_before_its_results_wait_for_a_reader(start_unread, unread, tmp_path):
    command = start_unread(unread, *SHORT, stdout=unread.writer)
    unread.close_writer()
    command.wait_until((tmp_path / "run" / "summary.json").exists, "summary")
    command.wait_until(lambda: not zones_and_workers(command), "end of all processes")
    with pytest.raises(subprocess.TimeoutExpired):
        command.finish(timeout_s=2.0)
    assert is_whole(tmp_path / "run")

    shown = unread.read_on()

    assert command.finish().code == 0
    assert "world hash: " in shown
    assert "report: not drawn; zonesim report run draws it" in shown.splitlines()[-1]


@needs_titles
@first_a_pipe
def test_a_signal_ends_what_waits_for_a_reader_of_its_results(start_unread, unread, tmp_path):
    command = start_unread(unread, *SHORT, stdout=unread.writer)
    command.wait_until((tmp_path / "run" / "summary.json").exists, "summary")
    command.wait_until(lambda: not zones_and_workers(command), "end of all processes")
    with pytest.raises(subprocess.TimeoutExpired):
        command.finish(timeout_s=2.0)

    command.signal(signal.SIGINT)

    assert command.finish(BLOCKED_S).code == 130


def test_who_watches_a_run_leaves_though_nobody_reads(start, terminal, tmp_path):
    run = start(*LONG)
    run.wait_until_it_ticks(tmp_path / "run")
    environment = {"TERM": "xterm-256color"}
    watching = start("top", str(tmp_path / "run"), stdout=terminal.writer, environment=environment)
    shown = b""
    while b"zonesim chains" not in shown:
        shown += terminal.read_some()
    terminal.fill()

    watching.signal(signal.SIGINT)

    ended = watching.finish(BLOCKED_S)
    assert (ended.code, ended.error) == (0, "")
    assert not run.has_ended()
    run.signal(signal.SIGINT)
    assert run.finish().code == 130
