"""The artificial work inside an AsyncTask: its text and its doing. Knows no worlds."""

from __future__ import annotations

import re
import time
from typing import Final, Literal

import msgspec

_TEXT: Final = re.compile(r"(sleep|spin):([0-9]{1,6})(us|ms)")
_NS: Final = {"us": 1_000, "ms": 1_000_000}
_LONGEST_NS: Final = 60_000_000_000


class Work(msgspec.Struct, frozen=True):
    """What each AsyncTask does before it answers."""

    kind: Literal["none", "sleep", "spin"]
    duration_ns: int


def parse_work(text: str) -> Work:
    """Return the work of ``none``, ``sleep:5ms`` or ``spin:200us``; raise ValueError."""
    if text == "none":
        return Work("none", 0)
    match = _TEXT.fullmatch(text)
    if match:
        duration_ns = int(match[2]) * _NS[match[3]]
        if 0 < duration_ns <= _LONGEST_NS:
            return Work("sleep" if match[1] == "sleep" else "spin", duration_ns)
    raise ValueError(
        "work must be none, sleep:DURATION or spin:DURATION with a duration such as 200us or 5ms, "
        f"more than 0 and at most 60 s; got {text!r}"
    )


def do_work(kind: str, duration_ns: int) -> None:
    """Sleep or spin for a duration: a wait for something else, or CPU time used here."""
    if kind == "sleep":
        time.sleep(duration_ns * 1e-9)
    elif kind == "spin":
        end_ns = time.perf_counter_ns() + duration_ns
        while time.perf_counter_ns() < end_ns:
            pass
