"""Text and files: text that can be sent and saved, events as text, files written whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def encodable(text: str) -> str:
    """Escape what UTF-8 cannot encode, as in some file names."""
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


def write_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace a file in one step; raises OSError, and leaves the existing file then."""
    new = path.with_name(f"{path.name}.new")
    try:
        with open(new, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
    except OSError:
        new.unlink(missing_ok=True)  # a partial file would only take up space
        raise
    new.replace(path)
