"""Text that can be sent, saved and printed, and how events are shown as text."""

from __future__ import annotations

from collections.abc import Sequence


def encodable(text: str) -> str:
    """Names of files may hold what no encoding takes: that is escaped."""
    return text.encode(errors="backslashreplace").decode()


def process_text(zones: Sequence[int], worker: int | None = None, pid: int | None = None) -> str:
    """Name a process by its ids: ``zone 3 (pid 4711)``; empty without any."""
    name = ""
    if zones:
        name = f"zone {zones[0]}" if len(zones) == 1 else f"zones {zones[0]}-{zones[-1]}"
    elif worker is not None:
        name = f"worker {worker}"
    if pid is None:
        return name
    return f"{name} (pid {pid})" if name else f"pid {pid}"


def event_text(kind: str, process: str, detail: str) -> str:
    """Show an event in one line: ``zone-died: zone 3 (pid 4711), by signal 9``."""
    first_line = detail.partition("\n")[0]
    return f"{kind}: {', '.join(part for part in (process, first_line) if part)}"
