"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import click
import msgspec

OUTPUT_CLOSED = 141  # as shells report a SIGPIPE


class BadInput(Exception):
    """Something that the user can fix; the message is one line."""


@contextmanager
def bad_input(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that the user can fix into BadInput."""
    try:
        yield
    except errors as error:
        raise BadInput(str(error)) from error


class CliGroup(click.Group):
    """Commands that the help lists as they were added, the most used first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)


def as_json_text(document: Any) -> str:  # noqa: ANN401 - whatever msgspec encodes
    """A document as indented JSON."""
    return json.dumps(msgspec.to_builtins(document), indent=2)


def say(text: str) -> None:
    """Write to standard output; a closed pipe ends the command, but is no error."""
    try:
        _print(text, sys.stdout)
    except BrokenPipeError:
        raise click.exceptions.Exit(OUTPUT_CLOSED) from None
    except OSError as error:
        raise BadInput(f"standard output cannot be written: {error.strerror}") from None


def tell(text: str) -> None:
    """Write to standard error; where that fails, the exit code has to do."""
    with suppress(OSError):
        _print(text, sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except (OSError, KeyboardInterrupt):
        # Or Python would try again at exit to write it: that fails, or blocks on a full pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
