"""The options that commands share, and what they say as keys of a scenario. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from zonesim.scenario.loading import parse_override

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
A_PATH = click.Path(path_type=Path)

workers_option = click.option(
    "--workers",
    metavar="W|auto|MIN..MAX",
    help="Worker processes; 0 runs all work inline, 1..4 follow the load.",
)
out_option = click.option(
    "--out",
    type=A_PATH,
    metavar="DIR",
    help="This run's folder; new or empty. Without it, one below reports/.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)
_RUN_OPTIONS = (
    click.option(
        "--zones",
        metavar="N,N,...",
        help='Zones of each step; also "1..100:+10 every 15s", or -10 down.',
    ),
    workers_option,
    click.option(
        "--zones-per-process",
        type=int,
        metavar="K",
        help="Zones that share one process and main thread.",
    ),
    click.option("--ticks", type=int, metavar="N", help="Ticks of each zone in each step."),
    click.option(
        "--duration", type=float, metavar="S", help="Seconds for each step, instead of --ticks."
    ),
    click.option("--pace", metavar="realtime|max", help="Keep the period, or run back to back."),
    click.option(
        "--seed", type=int, metavar="N", help="What all that happens in the world follows from."
    ),
    click.option(
        "--transfer", metavar="NAME", help="How work reaches the workers: ring or inline."
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any key of the scenario; may be repeated.",
    ),
    out_option,
    click.option(
        "--report/--no-report",
        "with_report",
        default=True,
        show_default=True,
        help="Draw the report at the end; zonesim report draws it later.",
    ),
    json_option,
)


class RunOptions(TypedDict):
    """What `run_options` gives a command."""

    zones: str | None
    workers: str | None
    zones_per_process: int | None
    ticks: int | None
    duration: float | None
    pace: str | None
    seed: int | None
    transfer: str | None
    settings: Sequence[str]
    out: Path | None
    with_report: bool
    as_json: bool


def run_options(command: Command) -> Command:
    """Give a command the options of a run."""
    return with_options(_RUN_OPTIONS, command)


def with_options(options: Sequence[Decorator[Any]], command: Command) -> Command:
    """Give a command options; its help shows them in this order."""
    decorated: Command = reduce(lambda inner, option: option(inner), reversed(options), command)
    return decorated


def overrides(given: RunOptions) -> dict[str, object]:
    """The options that were given, as keys of a scenario; `--set` first, so that others count."""
    plain: dict[str, object] = {
        "zones_per_process": given["zones_per_process"],
        "ticks": given["ticks"],
        "duration_s": given["duration"],
        "pace": given["pace"],
        "seed": given["seed"],
        "transfer": given["transfer"],
    }
    said = {key: value for key, value in plain.items() if value is not None}
    # Of two settings for one key the last counts.
    settings = dict(map(parse_override, given["settings"]))
    return settings | said | _zones_flag(given["zones"]) | worker_flag(given["workers"])


def _zones_flag(text: str | None) -> dict[str, object]:
    """`5` is a number of zones, all else is text: the scenario's own rules judge it."""
    return {} if text is None else {"zones": _number_or_text(text)}


def worker_flag(text: str | None) -> dict[str, object]:
    """`--workers` as a key of a scenario; `1..4` is the short form of its table."""
    if text is None:
        return {}
    low, dots, high = text.partition("..")
    if not dots:
        return {"workers": _number_or_text(text)}
    return {"workers": {"min": _number_or_text(low), "max": _number_or_text(high)}}


def _number_or_text(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text
