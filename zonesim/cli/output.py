"""What commands print, and where: results on standard output, all else on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import click
import msgspec

from zonesim.cli.run import BadInput

OUTPUT_CLOSED = 141  # as shells report a SIGPIPE


def as_json_text(document: Any) -> str:  # noqa: ANN401 - whatever msgspec encodes
    """A document as JSON, for people to read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


class CliCommand(click.Command):
    """A command whose help is said as all else: into a closed pipe, or onto a full disk."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The usual one."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _say_help
        return option


class CliGroup(CliCommand, click.Group):
    """Commands; the help lists them as they were added, the most used first."""

    command_class = CliCommand

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)


def _say_help(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        say(context.get_help())
        raise click.exceptions.Exit(0)


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
