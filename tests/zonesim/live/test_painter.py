from __future__ import annotations

import contextlib
import io
import os
import pty
import termios
from collections.abc import Iterator

import pytest
from rich.text import Text

import zonesim.live.painter
from zonesim.live.painter import LINES_KEPT, Painter, Screen

LONG_S = 30.0
HIDDEN, SEEN = "\x1b[?25l", "\x1b[?25h"


class Frames(Screen):
    """Frames as lines in brackets."""

    def __init__(self) -> None:
        pass

    def draw(self, lines, frame) -> str:
        frames = [f"<{frame}>"] if frame is not None else []
        return "".join(f"{line}\n" for line in [*lines, *frames])

    def wipe(self) -> str:
        return "end\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOBase]]:
    """The reading end of a pipe, and its writing end as a stream."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:
        yield reader, stream
    os.close(reader)


@pytest.fixture
def full_pipe(pipe) -> Iterator[tuple[int, io.TextIOBase]]:
    _, stream = pipe
    os.set_blocking(stream.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(stream.fileno(), b"." * 4096)
    os.set_blocking(stream.fileno(), True)
    return pipe


def read_until(reader: int, last: str) -> list[str]:
    found = ""
    while not found.endswith(last):
        found += os.read(reader, 1 << 16).decode()
    return found.lstrip(".").splitlines()


def test_all_is_drawn_at_the_end(pipe):
    reader, stream = pipe
    painter = Painter(stream, Frames())
    painter.print("one")
    painter.show("frame")
    painter.print("two")
    painter.close()

    assert sorted(read_until(reader, "end\n")) == ["<frame>", "end", "one", "two"]


def test_a_stuck_reader_delays_no_caller_and_sees_the_newest_frame_later(full_pipe):
    reader, stream = full_pipe
    painter = Painter(stream, Frames())
    painter.print("stuck")
    while painter._lines:
        pass  # until the thread has taken the first line, and waits for the reader
    for number in range(10_000):
        painter.show(f"frame {number}")
        painter.print(f"line {number}")

    drawn = read_until(reader, "<frame 9999>\n")
    painter.close()
    assert drawn == [
        "stuck",
        *[f"line {number}" for number in range(10_000 - LINES_KEPT, 10_000)],
        "<frame 9999>",
    ]
    assert read_until(reader, "end\n") == ["end"]


def test_the_end_waits_a_while_for_a_reader_and_then_nothing_more_is_drawn(full_pipe, monkeypatch):
    monkeypatch.setattr(zonesim.live.painter, "PATIENCE_S", 0.05)
    reader, stream = full_pipe
    painter = Painter(stream)
    painter.print("stuck")
    while painter._lines:
        pass
    painter.print("never printed")
    painter.close()

    assert read_until(reader, "stuck\n") == ["stuck"]
    painter._thread.join(LONG_S)
    stream.close()
    assert os.read(reader, 100) == b""


def test_a_run_continues_when_its_terminal_is_gone():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        painter = Painter(stream, Frames())
        painter.show("frame")
        painter.close()


@pytest.fixture
def terminal(monkeypatch) -> Iterator[io.TextIOBase]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    with open(writer, "w", encoding="utf-8") as stream:
        yield stream
    os.close(reader)


def test_a_frame_replaces_the_one_before_and_lines_stay_above_it(terminal):
    screen = Screen(terminal)

    assert screen.draw(["one"], Text("a\nb")) == f"{HIDDEN}one\na\nb\n{SEEN}"
    assert screen.draw(["two"], None) == f"{HIDDEN}\r\x1b[2A\x1b[Jtwo\na\nb\n{SEEN}"
    assert screen.draw([], Text("c")) == f"{HIDDEN}\r\x1b[2A\x1b[Jc\n{SEEN}"
    assert screen.wipe() == "\r\x1b[1A\x1b[J"


def test_a_terminal_that_is_resized_is_drawn_anew(terminal, monkeypatch):
    screen = Screen(terminal)
    screen.draw([], Text("frame"))
    monkeypatch.setenv("COLUMNS", "160")

    assert screen.draw([], Text("wider")) == f"{HIDDEN}\x1b[H\x1b[2Jwider\n{SEEN}"
