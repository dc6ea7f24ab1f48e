from __future__ import annotations

import io

import pytest
from rich.text import Text

from zonesim.live.screen import Screen

HIDDEN, SEEN = "\x1b[?25l", "\x1b[?25h"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)
    screen = Screen(Terminal(), lambda frame: frame)
    screen.begin()
    return screen


def test_lines_stay_above_the_frame_and_below_it_there_is_an_empty_one_for_others(screen):
    text = screen.draw(["one", "two"], Text("frame"))

    assert text.replace("\r\x1b[2K", "") == f"{HIDDEN}one\ntwo\nframe\n{SEEN}"


def test_each_text_gives_the_cursor_back(screen):
    texts = [screen.draw([], Text("frame")), screen.draw(["line"], None), screen.end()]

    for text in texts:
        assert text.startswith(HIDDEN)
        assert text.endswith(SEEN)


def test_a_frame_takes_the_place_of_the_one_before(screen):
    screen.draw([], Text("one\ntwo"))

    text = screen.draw([], Text("three"))

    assert text.count("\x1b[1A\x1b[2K") == 2  # the lines of the first one, and that below them
    assert "three" in text


def test_nothing_is_left_of_the_frame_in_the_end(screen):
    screen.draw([], Text("frame"))

    assert screen.end().endswith("\r\x1b[1A\x1b[2K\x1b[1A\x1b[2K" + SEEN)


def test_a_terminal_of_another_size_is_drawn_anew(screen, monkeypatch):
    screen.draw([], Text("frame"))
    monkeypatch.setenv("COLUMNS", "160")

    before, after = screen.draw([], Text("wider")).split("\x1b[2J")

    assert "wider" not in before
    assert "wider" in after
