"""Options that commands share, and how they become keys of a scenario."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from zonesim.scenario.loading import parse_override

from .output import BadInput

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
A_PATH = click.Path(path_type=Path)


def with_options(*options: Decorator[Any]) -> Decorator[Any]:
    """A decorator that gives a command options; its help shows them in this order."""
    return lambda command: reduce(lambda inner, option: option(inner), reversed(options), command)


def _number_or_text(text: str | None) -> int | str | None:
    """A whole number if the text is one; the scenario checks any other text."""
    try:
        return None if text is None else int(text)
    except ValueError:
        return text


def _parse_zones_per_process(_: click.Context, __: click.Parameter, text: str | None) -> object:
    return _number_or_text(text)


def _parse_workers(_: click.Context, __: click.Parameter, text: str | None) -> object:
    """`1..4` is the short form of the table of bounds."""
    low, dots, high = (text or "").partition("..")
    if not dots:
        return _number_or_text(text)
    return {"min": _number_or_text(low), "max": _number_or_text(high)}


def _read_dash(_: click.Context, __: click.Parameter, source: str | None) -> str | bytes | None:
    """Replace `-` with the text on standard input."""
    if source != "-":
        return source
    if os.isatty(0):
        raise BadInput("standard input: expected a scenario from a pipe or file, found a terminal")
    try:
        with open(0, "rb", closefd=False) as standard_input:
            text = standard_input.read()
    except OSError as error:
        raise BadInput(f"standard input: cannot be read: {error.strerror}") from None
    if not text.strip():  # as from a program that failed
        raise BadInput("standard input: expected a scenario, found nothing")
    return text


def scenario_argument(**options: Any) -> Decorator[Any]:  # noqa: ANN401 - click's own
    """The argument that names a scenario; a command gets what load_scenario takes."""
    return click.argument("scenario", callback=_read_dash, **options)


workers_option = click.option(
    "--workers",
    callback=_parse_workers,
    metavar="W|auto|MIN..MAX",
    help="Worker processes: 0 runs all work inline, 1..4 follows the load.",
)
out_option = click.option(
    "--out",
    type=A_PATH,
    metavar="DIR",
    help="New or empty folder for the results. Default: a new one in reports/.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)

# Options up to --set are named as the scenario's keys; `overrides` relies on it.
run_options = with_options(
    click.option(
        "--zones",
        metavar="N,N,...",
        help='Zones of each step, or a ramp: "1..100:+10 every 15s", :-10 goes down.',
    ),
    workers_option,
    click.option(
        "--zones-per-process",
        callback=_parse_zones_per_process,
        metavar="K|auto",
        help="Zones that share one process and main thread; auto: 1 as long as the cores carry it.",
    ),
    click.option("--ticks", type=int, metavar="N", help="Ticks of each zone in each step."),
    click.option(
        "--duration",
        "duration_s",
        metavar="TIME",
        help="Length of each step, instead of --ticks: 90 (seconds), 90s, 5m, 1h, 1m30s, 500ms.",
    ),
    click.option("--pace", metavar="realtime|max", help="Keep the period, or run at full speed."),
    click.option("--seed", type=int, metavar="N", help="Seed of the random generator."),
    click.option(
        "--transfer",
        metavar="ring|inline",
        help="ring sends AsyncTasks to the workers, inline runs them in the zone.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set any key of the scenario, e.g. field.mobs=600; repeatable.",
    ),
    out_option,
    click.option(
        "--report/--no-report",
        "with_report",
        default=True,
        show_default=True,
        help="Draw the report at the end, or leave it to zonesim report.",
    ),
    json_option,
)


def overrides(settings: Sequence[str], keys: dict[str, object]) -> dict[str, object]:
    """Scenario keys from the command line: `--set` first, then options of their own."""
    given = {key: value for key, value in keys.items() if value is not None}
    return dict(map(parse_override, settings)) | given
