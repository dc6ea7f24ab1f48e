"""Checks of what a pool is asked for; each error gives the rule, the value and the option."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Literal

from corororo._platform import HAS_AFFINITY
from corororo.abc import IdleStrategy


def cpus_to_pin(pin: Literal["spread"] | Sequence[int] | None) -> tuple[int, ...]:
    """The CPUs that ``pin`` names; raises ValueError for those that cannot be used."""
    if pin is None:
        return ()
    if not HAS_AFFINITY:
        raise ValueError("this system cannot pin processes to CPUs; leave WorkerPool(pin=...) out")
    usable = sorted(os.sched_getaffinity(0))
    cpus = usable if pin == "spread" else list(pin)
    if not cpus or not set(cpus) <= set(usable):
        raise ValueError(f"pin must name some of the CPUs {usable}, got {pin!r}")
    return tuple(cpus)


def check_resize(before: int, workers: int) -> None:
    """A new number of workers for a running pool."""
    if type(workers) is not int:
        raise TypeError(f"workers must be an int, got {workers!r}; pool.resize(2)")
    if workers < 1:
        raise ValueError(
            f"workers must be at least 1, got {workers}; a running pool keeps one for the calls "
            f"that may come, close() ends it"
        )
    if not before:
        raise ValueError(
            "a pool of 0 workers runs AsyncTasks inline, and its Schedulers would ask for none; "
            "begin with one: WorkerPool(workers=1)"
        )


def check_figure(name: str, value: int, minimum: int, maximum: int | None = None) -> None:
    """An int within its bounds."""
    option = f"WorkerPool({name}=...)"
    if type(value) is not int:  # a bool, too, would reach the workers as something else
        raise TypeError(f"{name} must be an int, got {value!r}; {option}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}; {option}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {value}; {option}")


def check_seconds(name: str, value: float | None) -> None:
    """A positive time, or None."""
    if value is None:
        return
    option = f"WorkerPool({name}=...)"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds or None, got {value!r}; {option}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be more than 0 seconds, got {value}; {option}")


def check_modules(name: str, modules: Sequence[str]) -> None:
    """Names of modules; a lone str would pass as a sequence of letters."""
    if isinstance(modules, str):
        raise TypeError(
            f"{name} must be a list of modules, got {modules!r}; WorkerPool({name}=[{modules!r}])"
        )


def check_idle(idle: IdleStrategy | None) -> None:
    """An idle strategy, not its class or its name."""
    if idle is None or (callable(getattr(idle, "idle", None)) and not isinstance(idle, type)):
        return
    raise TypeError(
        f"idle must be an IdleStrategy, got {idle!r}; WorkerPool(idle=AdaptiveSpin()) is one"
    )
