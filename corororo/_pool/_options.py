"""What the options of a pool may be: each is refused with rule, value and option."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Literal

from corororo._platform import HAS_AFFINITY
from corororo.abc import IdleStrategy


def check_figure(
    name: str, value: int, minimum: int, maximum: float = math.inf, call: str | None = None
) -> None:
    """An int within its bounds; ``call`` is what can be called instead."""
    call = call or f"WorkerPool({name}=...)"
    if type(value) is not int:  # a bool, too, would reach the workers as something else
        raise TypeError(f"{name} must be an int, got {value!r}; {call}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}; {call}")
    if value > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {value}; {call}")


def check_others(
    hang_timeout: float | None, modules: dict[str, Sequence[str]], idle: IdleStrategy | None
) -> None:
    """The seconds, the lists of modules and the idle strategy."""
    if not isinstance(hang_timeout, int | float | None):
        raise TypeError(
            f"hang_timeout must be a number of seconds or None, got {hang_timeout!r}; "
            f"WorkerPool(hang_timeout=...)"
        )
    if hang_timeout is not None and not 0 < hang_timeout < math.inf:
        raise ValueError(
            f"hang_timeout must be more than 0 seconds, got {hang_timeout}; "
            f"WorkerPool(hang_timeout=...)"
        )
    for name, names in modules.items():
        listed = isinstance(names, Sequence) and not isinstance(names, str)  # a list of letters
        if not listed or not all(isinstance(module, str) for module in names):
            raise TypeError(
                f"{name} must be a list of modules, by name, got {names!r}; "
                f'WorkerPool({name}=["scipy.sparse"])'
            )
    if idle is not None and (isinstance(idle, type) or not hasattr(idle, "idle")):
        raise TypeError(
            f"idle must be an IdleStrategy, got {idle!r}; WorkerPool(idle=AdaptiveSpin()) is one"
        )


def cpus_to_pin(pin: Literal["spread"] | Sequence[int] | None) -> tuple[int, ...]:
    """The CPUs that ``pin`` means."""
    if pin is None:
        return ()
    if not HAS_AFFINITY:
        raise ValueError("this system cannot pin processes to CPUs; leave WorkerPool(pin=...) out")
    usable = sorted(os.sched_getaffinity(0))
    chosen = usable if pin == "spread" else pin
    cpus = tuple(chosen) if isinstance(chosen, Sequence) else ()
    if not cpus or not set(cpus) <= set(usable):
        raise ValueError(
            f"pin must name some of the CPUs {usable}, got {pin!r}; "
            f'WorkerPool(pin={usable[:2]}) or WorkerPool(pin="spread")'
        )
    return cpus
