from __future__ import annotations

import contextlib
import os
import pty
import termios

import pytest


@pytest.fixture
def terminal():
    """Both ends of a terminal of 100 columns: the reader's, and the one that a program gets."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (40, 100))
    yield reader, writer
    for end in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(end)


def read_all(reader: int) -> str:
    parts = []
    with contextlib.suppress(OSError):  # that is how the end of a terminal looks
        while part := os.read(reader, 1 << 16):
            parts.append(part)
    return b"".join(parts).decode()


def test_a_terminal_shows_a_live_table_and_standard_output_stays_pure(start, terminal):
    reader, writer = terminal
    bounds = ("--zones", "2", "--duration", "1", "--set", "period_ms=40", "--workers", "2")
    environment = {"TERM": "xterm-256color"}
    command = start("run", "chains", *bounds, "--json", stderr=writer, environment=environment)
    os.close(writer)

    shown = read_all(reader)
    ended = command.finish()

    assert ended.code == 0, shown
    [step] = ended.document["steps"]
    assert step["ticks"] + step["missed"] == 50
    assert "zonesim chains" in shown
    for heading in ("zones", "p50", "p95", "p99", "late"):
        assert heading in shown
    assert "zonesim worker 1" in shown or "worker 1" in shown
    hides, shows = shown.rfind("\x1b[?25l"), shown.rfind("\x1b[?25h")
    assert -1 < hides < shows  # the cursor is given back
