"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

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


class CliCommand(click.Command):
    """A command whose help is printed by `say`, which handles closed pipes and full disks."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option of click, with another callback."""
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


def as_json_text(document: Any) -> str:  # noqa: ANN401 - whatever msgspec encodes
    """A document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


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
        # Otherwise Python tries again at exit to write what is still in its buffer: that fails,
        # or blocks on a full pipe where nothing can interrupt it any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
