"""Why a run cannot go on. Knows no other room."""

from __future__ import annotations


class RunFailed(Exception):
    """A run cannot start or go on; the message is one line that says what to do."""
