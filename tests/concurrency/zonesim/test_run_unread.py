"""Runs on terminals and pipes, read or not: they go on, are saved, and end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import termios

import pytest
from zonesim_runs import PATIENCE_S, needs_titles, saved

DURATION_S = 1
ZONES, PERIOD_MS = 3, 10
SMALL = ("--set", f"period_ms={PERIOD_MS}", "--set", "chains.chains=4")
RUN = ("run", "chains", "--zones", str(ZONES), *SMALL, "--out", "run")
SHORT = (*RUN, "--duration", str(DURATION_S))
LONG = (*RUN, "--duration", "600")
SETTLED_S = 0.5  # in which a terminal has moved what it holds
BLOCKED_S = 10.0  # for an end that waits a second for the view, and one for its results


class Ends:
    """The two ends of a terminal or a pipe."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer

    def fill(self) -> Ends:
        """Leave no space for a single byte."""
        os.set_blocking(self.writer, False)
        self._write_all_it_takes()
        # A terminal takes a moment to move what it holds to its reader's side.
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
        """Leave the writing end to the command that was started with it."""
        os.close(self.writer)
        self.writer = -1

    def read_to_end(self) -> str:
        """Read until the other end is closed, and leave the filling out."""
        parts = []
        with contextlib.suppress(OSError):  # the end of a terminal
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
    termios.tcsetwinsize(writer, (40, 100))
    ends = Ends(reader, writer)
    yield ends
    ends.close()


@pytest.fixture(params=["terminal", "pipe"])
def unread(request):
    """A full terminal or pipe without a reader."""
    ends = request.getfixturevalue("terminal") if request.param == "terminal" else Ends(*os.pipe())
    yield ends.fill()
    ends.close()


@pytest.fixture
def start_on(start):
    def start_on(ends, *arguments, **options):
        environment = {"TERM": "xterm-256color"}
        command = start(*arguments, stderr=ends.writer, environment=environment, **options)
        if options.get("stdout") != ends.writer:
            ends.close_writer()
        return command

    return start_on


def is_whole(folder) -> bool:
    """Whether all files of a run are written, with all its ticks."""
    summary = json.loads((folder / "summary.json").read_text())
    [[world_hash]] = saved(folder, "SELECT world_hash FROM runs")
    [[ticks]] = saved(folder, "SELECT count(*) FROM ticks")
    assert world_hash == summary["world_hash"]
    assert ticks == summary["steps"][0]["ticks"]
    return bool(world_hash)


def test_a_terminal_shows_a_live_table_and_standard_output_stays_pure(start_on, terminal):
    command = start_on(terminal, *SHORT, "--workers", "2", "--json")

    shown = terminal.read_to_end()
    ended = command.finish()

    assert ended.code == 0, shown
    [step] = ended.document["steps"]
    assert step["ticks"] + step["missed"] == ZONES * DURATION_S * 1000 // PERIOD_MS
    for heading in ("zonesim chains", "zones", "p50", "p95", "p99", "late", "workers"):
        assert heading in shown
    hides, shows = shown.rfind("\x1b[?25l"), shown.rfind("\x1b[?25h")
    assert -1 < hides < shows  # the cursor is given back


def test_a_run_without_a_reader_goes_on_and_ends(start_on, unread, tmp_path):
    ended = start_on(unread, *SHORT).finish()

    assert ended.code == 0
    assert is_whole(tmp_path / "run")
    [[ticks, missed]] = saved(tmp_path / "run", "SELECT count(*), sum(missed) FROM ticks")
    assert ticks + missed == ZONES * DURATION_S * 1000 // PERIOD_MS
    assert "world hash" in ended.output


@pytest.mark.parametrize(
    ("unread", "stdout"), [("terminal", "unread"), ("pipe", "read")], indirect=["unread"]
)
def test_two_signals_end_a_run_without_a_reader(start_on, unread, tmp_path, stdout):
    options = {} if stdout == "read" else {"stdout": unread.writer}
    command = start_on(unread, *LONG, "--json", **options)
    command.wait_until_it_ticks(tmp_path / "run")

    command.signal_all(signal.SIGINT)
    command.wait_until((tmp_path / "run" / "summary.json").exists, "summary")
    command.signal_all(signal.SIGINT)

    assert command.finish(BLOCKED_S).code == 130
    assert is_whole(tmp_path / "run")


@needs_titles
@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("unread", ["terminal"], indirect=True)
def test_only_the_results_of_a_run_wait_for_a_reader(start_on, unread, tmp_path, interrupted):
    command = start_on(unread, *SHORT, stdout=unread.writer)
    unread.close_writer()
    command.wait_until((tmp_path / "run" / "summary.json").exists, "summary")
    command.wait_until(
        lambda: not [line for line in command.processes().values() if line.startswith("zonesim ")],
        "end of all other processes",
    )
    with pytest.raises(subprocess.TimeoutExpired):
        command.finish(timeout_s=2.0)
    assert is_whole(tmp_path / "run")

    if interrupted:
        command.signal(signal.SIGINT)
        assert command.finish(BLOCKED_S).code == 130
    else:
        assert "world hash: " in unread.read_to_end()
        assert command.finish().code == 0
