"""The transfer, measured beside what one would pick instead; ``python -m`` prints a table.

`ours` and `theirs` are medians over rounds in which all candidates take turns. `figure` is
ours / theirs unless the goal, which is about it, names something else. The interval is where it
lies with 95 % certainty, as far as these rounds can tell. Our tick runs 1,980 coroutines; its peers
make the same calls alone, unless they have a `loop of send`, which is the least that runs the
coroutines as well. What has no goal is there as a floor.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

import msgspec

import corororo as cr
from zonesim.machine import describe_machine, versions

from .call_groups import measure_alone, measure_map, measure_zones
from .contestants import Contestants
from .peers_pooled import TRIO_PARALLEL, has_trio_parallel
from .rows import TITLES, Row, line
from .submit_group import measure_submit
from .tick_groups import measure_added, measure_b2b, measure_paced
from .transfer_options import SPINNING, Options, parse
from .turns import COLLECTOR


class Group(msgspec.Struct, frozen=True):
    """Rows that are measured together."""

    measure: Callable[[Contestants, int], Iterator[Row]]
    rounds: int
    quick_rounds: int


GROUPS = {
    "b2b": Group(measure_b2b, 40, 8),
    "paced": Group(measure_paced, 20, 5),
    "submit": Group(measure_submit, 12, 4),
    "added": Group(measure_added, 40, 8),
    "alone": Group(measure_alone, 40, 8),
    "map": Group(measure_map, 20, 5),
    "zones": Group(measure_zones, 20, 5),
}
INTERRUPTED = 130
FAILED = 1


class Conditions(msgspec.Struct, frozen=True):
    """How the rows were measured."""

    machine: dict[str, str | int]
    versions: dict[str, str]
    load: tuple[float, float, float]  # over 1, 5 and 15 minutes, before the first round
    gc: str
    rounds: dict[str, int]
    workers: int
    placement: str
    idle: str
    notes: list[str]


class Report(msgspec.Struct, frozen=True):
    """All that one run has measured."""

    conditions: Conditions
    rows: list[Row]
    format: int = 1


def conditions(options: Options) -> Conditions:
    """What is known before the first round."""
    return Conditions(
        machine=describe_machine(),
        versions=versions(),
        load=os.getloadavg(),
        gc=COLLECTOR,
        rounds={group: _rounds(options, group) for group in options.groups},
        workers=options.workers,
        placement=options.placement or "the library's default",
        idle=options.idle or "the library's default",
        notes=list(_notes(options)),
    )


def measure(options: Options) -> Iterator[Row]:
    """Row after row; all processes have ended behind the last."""
    with Contestants(options.workers, options.pool_options()) as contestants:
        for group in options.groups:
            yield from GROUPS[group].measure(contestants, _rounds(options, group))


def print_json(options: Options) -> None:
    """Measure, then print one document."""
    report = Report(conditions(options), list(measure(options)))
    _print(msgspec.json.encode(report).decode())


def print_table(options: Options) -> None:
    """Print each row as soon as it is measured."""
    for text in _head(conditions(options)):
        _print(text)
    _print(TITLES)
    for row in measure(options):
        _print(line(row))


def run(options: Options) -> int:
    """Measure and print; gives the exit code."""
    code = 0
    try:
        (print_json if options.json else print_table)(options)
    except* KeyboardInterrupt:
        code = _complain("interrupted", INTERRUPTED)
    except* cr.CorororoError as errors:
        code = _complain(str(errors.exceptions[0]), FAILED)
    return code


def main() -> None:
    """Measure as the command line says, and print. SIGTERM is taken as Ctrl-C."""
    options = parse(sys.argv[1:], list(GROUPS), __doc__ or "")
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    sys.exit(run(options))


def _rounds(options: Options, group: str) -> int:
    if options.rounds is not None:
        return options.rounds
    return GROUPS[group].quick_rounds if options.quick else GROUPS[group].rounds


def _notes(options: Options) -> Iterator[str]:
    if "submit" in options.groups and not has_trio_parallel():
        yield f"{TRIO_PARALLEL} is not installed: its rows are skipped"
    if options.idle in SPINNING:
        yield "our workers never park: they take the cores from the peers as well"


def _head(found: Conditions) -> Iterator[str]:
    machine = found.machine
    rounds = ", ".join(f"{group} {rounds}" for group, rounds in found.rounds.items())
    yield (
        f"{machine['python']}; {machine['cpus_usable']} CPUs ({machine['cpu']}), "
        f"load {found.load[0]:.2f} before the first round"
    )
    yield f"garbage collector {found.gc}; medians; rounds: {rounds}"
    yield f"{found.workers} workers; placement: {found.placement}; idle: {found.idle}"
    yield from found.notes


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"python -m zonesim.bench.transfer: {text}\n")
    return code


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
