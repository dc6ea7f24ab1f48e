"""What commands print, and where: results on standard output, all else on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import click
import msgspec

from zonesim.cli_run import BadInput

OUTPUT_CLOSED = 141  # as shells report a SIGPIPE


def as_json_text(document: Any) -> str:  # noqa: ANN401 - whatever msgspec encodes
    """A document as JSON, for people to read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def say(text: str) -> None:
    """Write to standard output; whoever closed it has read enough."""
    try:
        _print(text, sys.stdout)
    except BrokenPipeError:
        raise click.exceptions.Exit(OUTPUT_CLOSED) from None
    except OSError as error:
        raise BadInput(f"standard output cannot be written: {error.strerror}") from None


def tell(text: str) -> None:
    """Write to standard error; where nobody reads it, the exit code says enough."""
    with suppress(OSError):
        _print(text, sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    """Returns when it is read, or has room to be; raises OSError, or KeyboardInterrupt."""
    try:
        print(text, file=stream, flush=True)
    except (OSError, KeyboardInterrupt):
        # Else Python tries once more, at exit, to write what is still in its buffer: that fails,
        # or waits for a reader where nothing breaks it off any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
