"""Text as it can be sent, saved and printed. Knows nothing of what it says."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Names of files may hold what no encoding takes: that is escaped."""
    return text.encode(errors="backslashreplace").decode()
