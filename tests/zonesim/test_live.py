from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from zonesim.live import CountView, LiveView
from zonesim.live_table import render, response_style
from zonesim.progress import Progress, WorkerLine

PERIOD_MS = 400.0
RUNNING = Progress(
    phase="running",
    step=2,
    steps=7,
    zones=5,
    zones_ready=5,
    elapsed_s=4.5,
    duration_s=10.0,
    ticks_wanted=None,
    ticks=56,
    late=1,
    missed=0,
    response_p50_ms=1.93,
    response_p95_ms=330.0,
    response_p99_ms=401.0,
    async_in_flight=12,
    workers=(WorkerLine("worker 1", 0.41), WorkerLine("worker 2", 0.05)),
    worker_restarts=3,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def state(**changes: object) -> Progress:
    return msgspec.structs.replace(RUNNING, **changes)


def drawn(*latest: Progress) -> list[str]:
    """Lines of the live table as a terminal of 80 columns and 24 lines gets them."""
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=24, color_system=None)
    console.print(render("zonesim scale", list(latest), PERIOD_MS))
    return stream.getvalue().splitlines()


@pytest.fixture
def plain_view():
    """A view on something that is no terminal, with a clock that the test sets."""
    stream, now_s = io.StringIO(), [0.0]
    with LiveView("zonesim scale", PERIOD_MS, stream, lambda: now_s[0]) as view:
        yield view, stream, now_s


def test_the_table_shows_the_step_its_share_and_every_figure():
    text = "\n".join(drawn(RUNNING))

    for piece in ["step 2 of 7: 5 zones, running", "45%", "4.5 of 10 s"]:
        assert piece in text
    row = next(line for line in text.splitlines() if "330" in line)
    assert " ".join(row.split()) == "2 5 5 56 1 0 1.93 330 401 12 23% 3"
    assert "worker 1" in text
    assert "41%" in text


@pytest.mark.parametrize("workers", [0, 2, 6, 7, 200])
def test_the_table_fits_a_terminal_of_80_by_24_however_long_the_run(workers):
    lines = drawn(
        *[
            state(
                step=step,
                steps=100,
                zones=1000,
                zones_ready=1000,
                ticks=900_000,
                response_p99_ms=12_345.6,
                async_in_flight=99_999,
                workers=tuple(WorkerLine(f"worker {n}", 1.0) for n in range(workers)),
            )
            for step in range(1, 101)
        ]
    )

    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_many_workers_are_shown_by_their_spread():
    workers = tuple(WorkerLine(f"worker {n}", n / 10) for n in range(11))

    assert "11 workers in use: mean 50%, 0% to 100%" in "\n".join(drawn(state(workers=workers)))


def test_a_starting_step_counts_its_ready_zones():
    assert "2 of 5 zones ready" in "\n".join(drawn(state(phase="starting", zones_ready=2)))


def test_a_step_bounded_by_ticks_counts_ticks():
    text = "\n".join(drawn(state(duration_s=None, ticks_wanted=224)))

    assert "25%" in text
    assert "56 of 224 ticks" in text


@pytest.mark.parametrize(
    ("value_ms", "style"), [(319.9, ""), (320.0, "yellow"), (399.9, "yellow"), (400.0, "red")]
)
def test_a_response_is_yellow_from_80_percent_of_the_period_and_red_from_all_of_it(value_ms, style):
    assert response_style(value_ms, PERIOD_MS) == style


def test_without_a_terminal_each_step_has_a_line_at_its_begin_and_its_end(plain_view):
    view, stream, _ = plain_view

    view.update(state(step=1, zones=1, phase="starting"))
    view.update(state(step=1, zones=1))
    view.update(state(step=2))
    view.__exit__(None, None, None)

    lines = stream.getvalue().splitlines()
    assert [line.split(" s, ")[0] for line in lines] == [
        "step 1 of 7, 1 zone: starting",
        "step 1 of 7, 1 zone: ended after 4.5",
        "step 2 of 7, 5 zones: running",
        "step 2 of 7, 5 zones: ended after 4.5",
    ]
    assert "56 ticks, 1 late, 0 missed, response p50 1.93 p95 330 p99 401 ms" in lines[1]


def test_without_a_terminal_a_long_step_has_a_line_every_ten_seconds(plain_view):
    view, stream, now_s = plain_view

    for second in range(31):
        now_s[0] = float(second)
        view.update(state(elapsed_s=float(second)))

    times = [line.split(": ")[1].split(",")[0] for line in stream.getvalue().splitlines()]
    assert times == ["running", "10.0 s", "20.0 s", "30.0 s"]


def test_a_notice_is_a_line_of_its_own(plain_view):
    view, stream, _ = plain_view

    view.notice("worker 2 was killed [9] and replaced")

    assert stream.getvalue() == "worker 2 was killed [9] and replaced\n"


def test_a_log_that_cannot_be_written_does_not_end_the_run():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with LiveView("zonesim scale", PERIOD_MS, Full()) as view:
        view.update(RUNNING)
        view.notice("still here")


def test_a_terminal_gets_the_table_and_keeps_only_the_notices(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()

    with LiveView("zonesim scale", PERIOD_MS, stream) as view:
        view.update(RUNNING)
        view.notice("worker 2 was killed [9] and replaced")

    text = stream.getvalue()
    assert "zonesim scale" in text
    assert "worker 2 was killed [9] and replaced" in text
    assert "\x1b[?25h" in text  # the cursor is back
    assert text.endswith("\x1b[2K")  # the table is wiped


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()

    with LiveView("zonesim scale", PERIOD_MS, stream) as view:
        view.update(RUNNING)

    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().startswith("step 2 of 7, 5 zones: running\n")


def test_counting_without_a_terminal_says_how_far_it_is_every_ten_seconds():
    stream, now_s = io.StringIO(), [0.0]

    with CountView("zonesim paths a.map", stream, lambda: now_s[0]) as view:
        for second in range(21):
            now_s[0] = float(second)
            view.update(second, 100)

    assert stream.getvalue().splitlines() == [
        "zonesim paths a.map: 10 of 100",
        "zonesim paths a.map: 20 of 100",
    ]


def test_counting_on_a_terminal_shows_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()

    with CountView("zonesim paths a.map", stream) as view:
        view.update(0, 0)
        view.update(25, 100)

    assert "25 of 100" in stream.getvalue()
