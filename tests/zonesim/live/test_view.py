from __future__ import annotations

import os
import pty
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TextIO

import pytest
from live_states import RUNNING, state

from zonesim.live.view import LiveView


class Sink:
    """Something to write to, and all that was written at the end."""

    def __init__(self, reader: int, writer: int) -> None:
        self.stream: TextIO = os.fdopen(writer, "w", encoding="utf-8")
        self._reader = reader
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):  # the end of a terminal
            while part := os.read(self._reader, 1 << 16):
                self._parts.append(part)

    def text(self) -> str:
        self.stream.close()
        self._thread.join()
        return b"".join(self._parts).decode().replace("\r\n", "\n")

    def close(self) -> None:
        self.text()
        os.close(self._reader)


@pytest.fixture
def log() -> Iterator[Sink]:
    sink = Sink(*os.pipe())
    yield sink
    sink.close()


@pytest.fixture
def terminal(monkeypatch) -> Iterator[Sink]:
    monkeypatch.setenv("TERM", "xterm-256color")
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    sink = Sink(reader, writer)
    yield sink
    sink.close()


@pytest.fixture
def view(log) -> Iterator[tuple[LiveView, list[str], Callable[[float], None]]]:
    """A view without a terminal, the lines that it prints, and a function that sets its clock."""
    lines: list[str] = []
    now_s = [0.0]
    with LiveView(log.stream, lambda: now_s[0], lines.append) as view:
        yield view, lines, lambda at_s: now_s.__setitem__(0, at_s)


def test_without_a_terminal_each_step_has_a_line_at_its_begin_and_its_end(log):
    with LiveView(log.stream) as view:
        view.update(state(step=1, zones=1, phase="starting"))
        view.notice("worker 2 was killed [9] and replaced")
        view.update(state(step=1, zones=1))
        view.update(state(step=2))

    assert [line.split(" s, ")[0] for line in log.text().splitlines()] == [
        "step 1 of 7, 1 zone: starting",
        "worker 2 was killed [9] and replaced",
        "step 1 of 7, 1 zone: ended after 4.5",
        "step 2 of 7, 5 zones: running",
        "step 2 of 7, 5 zones: ended after 4.5",
    ]


def test_without_a_terminal_a_line_tells_what_the_table_tells(view):
    shown, lines, _ = view
    shown.update(RUNNING)
    shown.update(state(step=3))

    assert lines[1].endswith(
        "ended after 4.5 s, zones 1 Ready 4 Allocated, TPS lowest 2.31 median 2.50 highest 2.52 "
        "ticks 56, utilisation mean 12% highest 34% headroom 0% late 1, response ms p50 1.93 "
        "p95 330 p99 401 missed 0, workers 2 use 23%, 5% to 41% queue 3 batches carried 12 "
        "restarts 3"
    )


def test_without_a_terminal_a_long_step_has_a_line_every_ten_seconds(view):
    shown, lines, set_clock = view
    for second in range(31):
        set_clock(float(second))
        shown.update(state(elapsed_s=float(second)), "no news")

    times = [line.split(": ")[1].split(",")[0] for line in lines]
    assert times == ["running", "10.0 s", "20.0 s", "30.0 s"]
    assert lines[-1].endswith("restarts 3, no news")


def test_a_view_that_is_left_tells_no_end_of_a_step(log):
    with suppress(KeyboardInterrupt), LiveView(log.stream) as view:
        view.update(RUNNING)
        raise KeyboardInterrupt

    assert log.text() == "step 2 of 7, 5 zones: running\n"


def test_a_terminal_gets_the_table_and_keeps_only_the_notices(terminal):
    with LiveView(terminal.stream) as view:
        view.update(RUNNING)
        view.notice("worker 2 was killed [9] and replaced")

    text = terminal.text()
    assert "zonesim scale" in text
    assert "worker 2 was killed [9] and replaced" in text
    assert text.endswith("A\x1b[J")  # the table is wiped
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with LiveView(terminal.stream) as view:
        view.update(RUNNING)

    text = terminal.text()
    assert "\x1b" not in text
    assert text.startswith("step 2 of 7, 5 zones: running\n")


def test_a_count_has_a_line_every_ten_seconds(log):
    now_s = [0.0]
    with LiveView(log.stream, lambda: now_s[0]) as view:
        for second in range(21):
            now_s[0] = float(second)
            view.count("zonesim paths a.map", second, 100)

    assert log.text().splitlines() == [
        "zonesim paths a.map: 10 of 100",
        "zonesim paths a.map: 20 of 100",
    ]
