"""Where Tasks stand that wait: their stacks as text. Advances none.

asyncio has the same as ``Task.print_stack`` and, from CPython 3.14 on, ``print_call_graph``; like
those of Go's runtime, equal stacks are told once, with how many Tasks there are.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any


def format_stacks(awaited: Iterable[Any]) -> str:
    """The stacks of suspended coroutines, those that most share first; innermost frame last."""
    counts = Counter(tuple(_frames(coroutine)) for coroutine in awaited)
    return "\n\n".join(
        "\n".join([f"{count} {'Task' if count == 1 else 'Tasks'} at", *map(_line, frames)])
        for frames, count in counts.most_common()
    )


def _frames(coroutine: Any) -> Iterator[tuple[str, int, str]]:
    while coroutine is not None:
        frame: FrameType | None = _first_of(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None:
            yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname
        coroutine = _first_of(coroutine, "cr_await", "gi_yieldfrom", "ag_await")


def _first_of(coroutine: Any, *names: str) -> Any:
    return next((getattr(coroutine, name) for name in names if hasattr(coroutine, name)), None)


def _line(frame: tuple[str, int, str]) -> str:
    file, line, name = frame
    return traceback.format_list([(file, line, name, None)])[0].rstrip()
