"""Files that are written whole or not at all. Knows nothing of what stands in them."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in place of the one that stands there; raises OSError, and then leaves that."""
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(data)
    except OSError:
        new.unlink(missing_ok=True)  # what is cut short would only hold on to the room
        raise
    new.replace(path)
