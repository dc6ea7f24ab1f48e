from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from zonesim.live.backlog import LINES_KEPT
from zonesim.live.outlet import Outlet
from zonesim.live.painter import Painter
from zonesim.system.interrupts import ENDING

SHORT_S, LONG_S = 0.05, 30.0


class Sheet:
    """Frames as lines in brackets."""

    def begin(self) -> str:
        return "begin\n"

    def draw(self, lines: Sequence[str], frame: object) -> str:
        frames = [f"<{frame}>"] if frame is not None else []
        return "".join(f"{line}\n" for line in [*lines, *frames])

    def end(self) -> str:
        return "end\n"


class Broken(Sheet):
    def draw(self, lines: Sequence[str], frame: object) -> str:
        raise ZeroDivisionError("no room")


@pytest.fixture
def unread() -> Iterator[tuple[int, io.TextIOBase]]:
    """A full pipe: its reading end, and its writing end as a stream."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)
    os.set_blocking(writer, True)
    with open(writer, "w") as stream:
        yield reader, stream
        stream.close()
        while os.read(reader, 1 << 16):
            pass
    os.close(reader)


def read_until(reader: int, last: str) -> list[str]:
    found = ""
    while not found.endswith(last):
        found += os.read(reader, 1 << 16).decode()
    return found.lstrip(".").splitlines()


def test_all_that_was_given_is_drawn_at_the_end():
    stream = io.StringIO()
    painter = Painter(Outlet(stream), Sheet(), LONG_S)
    painter.open()

    painter.print("one")
    painter.show("frame")
    painter.print("two")
    painter.close()

    painter.check()
    lines = stream.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("begin", "end")
    assert [line for line in lines if line in ("one", "two")] == ["one", "two"]
    assert "<frame>" in lines


def test_who_shows_something_does_not_wait_and_the_newest_is_what_is_seen_then(unread):
    reader, stream = unread
    painter = Painter(Outlet(stream), Sheet(), LONG_S)
    painter.open()

    for number in range(10_000):
        painter.show(f"frame {number}")
        painter.print(f"line {number}")

    drawn = read_until(reader, "<frame 9999>\n")
    painter.close()
    left_out = 10_000 - LINES_KEPT
    assert drawn == [
        "begin",
        f"lines left out, as nobody read them: {left_out}",
        *[f"line {number}" for number in range(left_out, 10_000)],
        "<frame 9999>",
    ]
    assert read_until(reader, "end\n") == ["end"]


def test_the_end_waits_a_while_for_a_reader_and_then_no_more_is_drawn(unread):
    reader, stream = unread
    painter = Painter(Outlet(stream), Sheet(), SHORT_S)
    painter.open()
    painter.show("frame")
    before_s = time.monotonic()

    painter.close()

    assert SHORT_S <= time.monotonic() - before_s < LONG_S
    assert read_until(reader, "begin\n") == ["begin"]
    stream.close()
    assert os.read(reader, 100) == b""  # nor does anybody hold the pipe any more


def test_a_reader_that_comes_in_time_sees_all(unread):
    reader, stream = unread
    painter = Painter(Outlet(stream), Sheet(), LONG_S)
    painter.open()
    painter.print("one")
    closing = threading.Thread(target=painter.close)
    closing.start()

    assert read_until(reader, "end\n") == ["begin", "one", "end"]
    closing.join(LONG_S)
    assert not closing.is_alive()


def test_a_terminal_that_is_gone_silences_the_painter():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        painter = Painter(Outlet(stream), Sheet(), LONG_S)
        painter.open()
        painter.show("frame")
        painter.print("line")
        painter.close()

    painter.check()


def test_what_drawing_fails_of_is_told_and_kept_for_who_closes():
    stream = io.StringIO()
    painter = Painter(Outlet(stream), Broken(), LONG_S)
    painter.open()

    painter.show("frame")
    painter.print("line")
    painter.close()

    with pytest.raises(ZeroDivisionError, match="no room"):
        painter.check()
    assert "drawing failed of ZeroDivisionError('no room')" in stream.getvalue()


def test_signals_that_end_a_run_are_not_for_the_thread_that_draws():
    blocked: list[set[signal.Signals]] = []

    class Looking(Sheet):
        def begin(self) -> str:
            blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))  # type: ignore[arg-type]
            return ""

    painter = Painter(Outlet(io.StringIO()), Looking(), LONG_S)
    painter.open()
    painter.close()

    assert blocked[0] >= set(ENDING)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(ENDING)
