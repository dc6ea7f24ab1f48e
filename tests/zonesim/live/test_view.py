from __future__ import annotations

import io

import pytest
from live_states import RUNNING, state

from zonesim.live.view import CountView, LiveView


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def plain_view():
    """A view where there is no terminal, the lines that it says, and a clock that the test sets."""
    lines: list[str] = []
    now_s = [0.0]
    with LiveView(io.StringIO(), lambda: now_s[0], lines.append) as view:
        yield view, lines, now_s


def test_without_a_terminal_each_step_has_a_line_at_its_begin_and_its_end(plain_view):
    view, lines, _ = plain_view

    view.update(state(step=1, zones=1, phase="starting"))
    view.update(state(step=1, zones=1))
    view.update(state(step=2))
    view.__exit__(None, None, None)

    assert [line.split(" s, ")[0] for line in lines] == [
        "step 1 of 7, 1 zone: starting",
        "step 1 of 7, 1 zone: ended after 4.5",
        "step 2 of 7, 5 zones: running",
        "step 2 of 7, 5 zones: ended after 4.5",
    ]


def test_without_a_terminal_a_line_tells_what_the_table_tells_of_the_fleet(plain_view):
    view, lines, _ = plain_view

    view.update(RUNNING)
    view.__exit__(None, None, None)

    assert lines[1].endswith(
        "ended after 4.5 s, 1 Ready, 4 Allocated, 56 ticks, 1 late, 0 missed, "
        "TPS lowest 2.31 median 2.50 highest 2.52, utilisation mean 12% highest 34%, "
        "headroom 0%, response p50 1.93 p95 330 p99 401 ms, workers 23%, 3 batches queued, "
        "3 restarts"
    )


def test_before_the_first_tick_a_line_has_no_figures_of_ticks(plain_view):
    view, lines, now_s = plain_view

    view.update(state(ticks=0, workers=()))
    now_s[0] = 10.0
    view.update(state(ticks=0, workers=()))

    assert "TPS" not in lines[-1]
    assert "workers inline" in lines[-1]


def test_a_word_about_the_run_stands_at_the_end_of_a_line(plain_view):
    view, lines, now_s = plain_view

    view.update(RUNNING)
    now_s[0] = 10.0
    view.update(RUNNING, "no news for 9 s")

    assert lines[-1].endswith("3 restarts, no news for 9 s")


def test_who_leaves_says_nothing_of_a_step_that_goes_on():
    stream = io.StringIO()

    with LiveView(stream) as view:
        view.update(RUNNING)
        view.leave()

    assert stream.getvalue() == "step 2 of 7, 5 zones: running\n"


def test_without_a_terminal_a_long_step_has_a_line_every_ten_seconds(plain_view):
    view, lines, now_s = plain_view

    for second in range(31):
        now_s[0] = float(second)
        view.update(state(elapsed_s=float(second)))

    times = [line.split(": ")[1].split(",")[0] for line in lines]
    assert times == ["running", "10.0 s", "20.0 s", "30.0 s"]


def test_a_notice_is_a_line_of_its_own(plain_view):
    view, lines, _ = plain_view

    view.notice("worker 2 was killed [9] and replaced")

    assert lines == ["worker 2 was killed [9] and replaced"]


def test_without_a_terminal_all_lines_are_there_at_the_end():
    stream = io.StringIO()

    with LiveView(stream) as view:
        view.update(state(step=1, zones=1))
        for number in range(50):
            view.notice(f"notice {number}")

    begin, *notices, end = stream.getvalue().splitlines()
    assert (begin, end[:28]) == ("step 1 of 7, 1 zone: running", "step 1 of 7, 1 zone: ended a")
    assert notices == [f"notice {number}" for number in range(50)]


def test_a_log_that_cannot_be_written_does_not_end_the_run():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with LiveView(Full()) as view:
        view.update(RUNNING)
        view.notice("still here")


def test_a_terminal_gets_the_table_and_keeps_only_the_notices(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()

    with LiveView(stream) as view:
        view.update(RUNNING)
        view.notice("worker 2 was killed [9] and replaced")

    text = stream.getvalue()
    assert "zonesim scale" in text
    assert "worker 2 was killed [9] and replaced" in text
    assert text.endswith("\x1b[2K\x1b[?25h")  # the table is wiped, and the cursor back


def test_a_terminal_that_is_gone_does_not_end_the_run(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")

    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    with LiveView(Gone()) as view:
        view.update(RUNNING)
        view.notice("worker 2 was killed [9] and replaced")


def test_what_drawing_fails_of_is_told_at_once_and_raised_at_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()

    def show_what_cannot_be_drawn() -> None:
        with LiveView(stream) as view:
            view.update(state(busiest=None))
            view.notice("the run goes on")

    with pytest.raises(TypeError):
        show_what_cannot_be_drawn()

    assert "nothing more is shown: drawing failed of TypeError" in stream.getvalue()


def test_the_error_of_a_run_counts_more_than_that_of_showing_it(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")

    def run() -> None:
        with LiveView(Terminal()) as view:
            view.update(state(busiest=None))
            raise KeyError("the run")

    with pytest.raises(KeyError):
        run()


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()

    with LiveView(stream) as view:
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
