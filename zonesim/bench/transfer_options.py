"""The options of the measurement of transfers: what may stand on its command line."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

import corororo as cr
from corororo.abc import IdleStrategy

IDLE: dict[str, Callable[[], IdleStrategy]] = {
    "park": cr.Park,
    "backoff": cr.Backoff,
    "adaptive": cr.AdaptiveSpin,
    "yielding": cr.Yielding,
    "busy": cr.BusySpin,
}


SPINNING = {"yielding", "busy"}  # never park


class Options(msgspec.Struct, frozen=True):
    """What is to be measured, and how. None leaves it to the library or to the group of rows."""

    groups: list[str]
    quick: bool
    json: bool
    workers: int
    rounds: int | None
    placement: str | None
    idle: str | None

    def pool_options(self) -> dict[str, Any]:
        """What WorkerPool is to be told."""
        options: dict[str, Any] = {}
        if self.idle is not None:
            options["idle"] = IDLE[self.idle]()
        if self.placement is not None:
            options["placement"] = self.placement
        return options


def parse(arguments: Sequence[str], groups: Sequence[str], about: str) -> Options:
    """The options; ends the program with one line where they are wrong."""
    parser = _parser(groups, about)
    found = parser.parse_args(arguments)
    if found.placement and "placement" not in inspect.signature(cr.WorkerPool).parameters:
        parser.error("--placement: the WorkerPool of this corororo knows no placement")
    return Options(
        groups=[group for group in groups if group in found.rows],
        quick=found.quick,
        json=found.json,
        workers=found.workers,
        rounds=found.rounds,
        placement=found.placement,
        idle=found.idle,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser(groups: Sequence[str], about: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m zonesim.bench.transfer",
        description=about,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few rounds: half a minute at most")
    add("--json", action="store_true", help="print one JSON document, when all is measured")
    add("--workers", type=_at_least_one, default=2, metavar="N", help="processes; 2 by default")
    add("--rounds", type=_at_least_one, metavar="N", help="rounds of every comparison")
    add("--placement", choices=("shared", "home"), help="as of WorkerPool, where it has one")
    add("--idle", choices=tuple(IDLE), help="the idle strategy of our workers")
    add(
        "--rows",
        type=lambda text: _some_of(groups, text),
        default=list(groups),
        metavar="NAME,...",
        help=f"some of {','.join(groups)}",
    )
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def _some_of(groups: Sequence[str], text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in groups]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(groups)}, got {unknown[0]!r}")
    return names
