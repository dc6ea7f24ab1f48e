"""Why a run cannot go on, and which of several errors says so best. Knows no other room."""

from __future__ import annotations

from collections.abc import Iterator


class RunFailed(Exception):
    """A run cannot start or go on; the message is one line that says what to do."""


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, and of the groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    else:
        yield error
