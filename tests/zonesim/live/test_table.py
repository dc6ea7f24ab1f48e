from __future__ import annotations

import io

import pytest
from live_states import RUNNING, crowded, state, zone
from rich.console import Console

from zonesim.live.progress import Progress
from zonesim.live.table import LiveTable


def drawn(progress: Progress, width: int = 80, height: int = 24, note: str = "") -> list[str]:
    """Lines of the live table as a terminal without colours gets them."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, color_system=None)
    console.print(LiveTable(progress, note))
    return stream.getvalue().splitlines()


def words(progress: Progress) -> str:
    """The whole table in single spaces."""
    return " ".join(" ".join(drawn(progress)).split())


def test_the_first_lines_show_the_step_its_share_and_the_period():
    title, bar = drawn(RUNNING)[:2]

    assert " ".join(title.split()) == "zonesim scale step 2 of 7: 5 zones, running period 400 ms"
    assert bar.rstrip().endswith("45%  4.5 of 10 s")


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "━━━───"), ("ascii", "===---")])
def test_the_share_is_a_bar_of_characters_that_the_terminal_has(encoding, bar):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    console = Console(file=stream, width=24, height=24, color_system=None)
    with console.capture() as captured:
        console.print(LiveTable(state(elapsed_s=5.0)))
    assert captured.get().splitlines()[1] == f"{bar}  50%  5.0 of 10 s"


def test_the_fleet_is_shown_by_its_states_speed_use_and_responses():
    text = words(RUNNING)

    for piece in [
        "zones 1 Ready 4 Allocated",
        "TPS lowest 2.31 median 2.50 highest 2.52 ticks 56",
        "utilisation mean 12% highest 34% headroom 0%!! late 1!",
        "response ms p50 1.93 p95 330! p99 401!! missed 0",
    ]:
        assert piece in text


def test_a_zone_is_shown_by_its_use_ticks_players_and_entities():
    slow = zone(17, utilisation=0.85, mspt_p50_ms=123.4, mspt_p95_ms=456.7, tps=2.19, late=4)

    assert "17 Allocated 85%! 123 457!! 2.19 10 340 4!" in words(state(busiest=(slow,)))


def test_workers_are_shown_together_with_their_range():
    assert "workers 2 use 23%, 5% to 41% queue 3 batches carried 12 restarts 3!" in words(RUNNING)
    assert "workers none: AsyncTasks run inline" in words(state(workers=()))


def test_the_latest_events_and_past_steps_are_shown():
    text = words(RUNNING)

    assert "events 3.2 s worker-died: worker 2, pid 1234" in text
    assert "1 1 25 0 0 1.50 2.50 3.50" in text


def test_before_the_first_tick_there_are_no_figures():
    text = words(state(ticks=0, busiest=()))

    assert "TPS lowest - median - highest -" in text
    assert "headroom -" in text
    assert "MSPT" not in text


def test_a_starting_step_counts_its_ready_zones():
    assert "2 of 5 zones ready" in words(state(phase="starting", zones_ready=2))


def test_a_step_bounded_by_ticks_counts_ticks():
    assert "25% 56 of 224 ticks" in words(state(duration_s=None, ticks_wanted=224))


def test_a_note_replaces_the_period():
    title = drawn(RUNNING, note="no news for 12 s")[0]

    assert title.rstrip().endswith("no news for 12 s")
    assert "period" not in title


SIZES = [(width, height) for width in (80, 100, 132, 160, 200) for height in (24, 30, 50, 80)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_line_is_wrapped_or_cut_however_much_there_is(width, height):
    lines = LiveTable(crowded()).lines(width, height - 1)

    assert len(lines) == height - 1
    assert max(len(line.plain.rstrip()) for line in lines) <= width
    assert len(drawn(crowded(), width, height)) == height - 1


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10, 3), (40, 10), (79, 12), (160, 9)])
def test_a_tiny_terminal_gets_what_fits(width, height):
    assert len(drawn(crowded(), width, height)) <= height
