"""RunFailed, errors in one line, and the errors inside exception groups."""

from __future__ import annotations

from collections.abc import Iterator


class RunFailed(Exception):
    """A run cannot start or continue; one line with the reason and the remedy."""


def error_line(error: BaseException) -> str:
    """The class and the message of an error, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """The errors inside nested exception groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    else:
        yield error
