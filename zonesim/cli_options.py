"""The options that commands share, and what they say as keys of a scenario. Runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zonesim.scenario import parse_override

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A scenario file, or a built-in one's name.")
]
ZonesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", help='Zones of each step; also "1..100:+10 every 15s", or -10 down.'
    ),
]
WorkersOption = Annotated[
    str | None,
    typer.Option(
        metavar="W|auto|MIN..MAX",
        help="Worker processes; 0 runs all work inline, 1..4 follow the load.",
    ),
]
ProcessOption = Annotated[
    int | None, typer.Option(metavar="K", help="Zones that share one process and main thread.")
]
TicksOption = Annotated[
    int | None, typer.Option(metavar="N", help="Ticks of each zone in each step.")
]
DurationOption = Annotated[
    float | None, typer.Option(metavar="S", help="Seconds for each step, instead of --ticks.")
]
PaceOption = Annotated[
    str | None, typer.Option(metavar="realtime|max", help="Keep the period, or run back to back.")
]
SeedOption = Annotated[
    int | None, typer.Option(metavar="N", help="What all that happens in the world follows from.")
]
TransferOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="How work reaches the workers: ring or inline.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key of the scenario; may be repeated."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="This run's folder; new or empty. Without it, one below reports/."
    ),
]
ReportOption = Annotated[
    bool,
    typer.Option(
        "--report/--no-report", help="Draw the report at the end; zonesim report draws it later."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output.")
]


def flags(
    zones: str | None,
    workers: str | None,
    zones_per_process: int | None,
    ticks: int | None,
    duration_s: float | None,
    pace: str | None,
    seed: int | None,
    transfer: str | None,
) -> dict[str, object]:
    """The options that were given, as keys of a scenario."""
    plain: dict[str, object] = {
        "zones_per_process": zones_per_process,
        "ticks": ticks,
        "duration_s": duration_s,
        "pace": pace,
        "seed": seed,
        "transfer": transfer,
    }
    given = {key: value for key, value in plain.items() if value is not None}
    return given | _zones_flag(zones) | worker_flag(workers)


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


def overrides(settings: Sequence[str] | None) -> dict[str, object]:
    """The keys that `--set` gives; of two for one key the last counts."""
    return dict(map(parse_override, settings or ()))
