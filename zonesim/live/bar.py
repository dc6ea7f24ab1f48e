"""A count as a bar, for a terminal."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from zonesim.live.parts import BarLine


def bar(title: str, done: int, total: int) -> Group:
    """How far the work is, under its title."""
    return Group(Text(title), BarLine(done / total if total else 1.0, f"{done} of {total}"))
