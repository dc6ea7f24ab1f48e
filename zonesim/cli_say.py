"""What commands print, and where: results on standard output, all else on standard error."""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec
import typer

from zonesim.cli_run import BadInput

OUTPUT_CLOSED = 141  # as shells report a SIGPIPE


def as_json_text(document: Any) -> str:  # noqa: ANN401 - whatever msgspec encodes
    """A document as JSON, for people to read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def say(text: str) -> None:
    """Write to standard output; whoever closed it has read enough."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Else Python fails once more, at exit, over what is still in its buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(OUTPUT_CLOSED) from None
        raise BadInput(f"standard output cannot be written: {error.strerror}") from None


def tell(text: str) -> None:
    """Write to standard error; where nobody reads it, the exit code says enough."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
