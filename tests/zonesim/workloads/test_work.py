from __future__ import annotations

import pytest

from zonesim.workloads.chains import Work, do_work, parse_work


@pytest.mark.parametrize(
    ("text", "work"),
    [
        ("none", Work("none", 0)),
        ("sleep:5ms", Work("sleep", 5_000_000)),
        ("spin:200us", Work("spin", 200_000)),
        ("sleep:60000ms", Work("sleep", 60_000_000_000)),
    ],
)
def test_work_is_read_from_its_text(text, work):
    assert parse_work(text) == work


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sleep",
        "sleep:",
        "sleep:5",
        "sleep:5s",
        "nap:5ms",
        "spin:-1us",
        "spin:0us",
        "None",
        "sleep:60001ms",
        "spin:1.5ms",
        "spin:200us ",
        "spin:٣us",
    ],
)
def test_other_text_is_refused_in_one_line_that_quotes_it(text):
    with pytest.raises(ValueError, match=r"^work must be none, sleep:DURATION") as refused:
        parse_work(text)
    assert str(refused.value).endswith(f"got {text!r}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["none", "sleep", "spin"])
def test_work_comes_to_an_end(kind):
    assert do_work(kind, 1_000) is None
