"""RunFailed, errors in one line, and the errors inside exception groups."""

from __future__ import annotations

import re
from collections.abc import Iterator

_REMEDY_IN_CODE = re.compile(r",? or [^,;]*WorkerPool\(\w+=\.\.\.\)")


class RunFailed(Exception):
    """A run cannot start or continue; one line with the reason and the remedy."""


def error_line(error: BaseException) -> str:
    """The class and the message of an error, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def user_text(error: BaseException, *, of_run: bool = False) -> str:
    """An error of corororo in one line, with only the remedies that users of zonesim have.

    Only a run has a scenario with the size of its rings.
    """
    text = str(error)
    if of_run:
        text = text.replace("WorkerPool(ring_bytes=...)", "--set ring_mb=...")
    return " ".join(_REMEDY_IN_CODE.sub("", text).split())


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """The errors inside nested exception groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    else:
        yield error
