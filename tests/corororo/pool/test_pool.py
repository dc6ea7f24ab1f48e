"""What a pool is asked for and cannot be: refused at once, with rule, value and option."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest

import corororo as cr
from corororo._pool import _options

OUT_OF_RANGE = [
    ({"workers": -1}, "workers must be at least 0, got -1; "),
    ({"ring_bytes": 1}, "ring_bytes must be at least 16384, got 1; "),
    ({"ring_bytes": 1 << 32}, "ring_bytes must be at most 2147483648, got 4294967296; "),
    ({"max_batch": 0}, "max_batch must be at least 1, got 0; "),
    ({"max_batch": 1 << 30}, "max_batch must be at most 1048576, got 1073741824; "),
    ({"max_message_bytes": 0}, "max_message_bytes must be at least 1, got 0; "),
    ({"max_pending": 0}, "max_pending must be at least 1, got 0; "),
    ({"rings": 0}, "rings must be at least 1, got 0; "),
    ({"hang_timeout": 0}, "hang_timeout must be more than 0 seconds, got 0; "),
    ({"hang_timeout": float("nan")}, "hang_timeout must be more than 0 seconds, got nan; "),
]
OF_ANOTHER_KIND = [
    ({"workers": 1.5}, "workers must be an int, got 1.5; "),
    ({"ring_bytes": "1M"}, "ring_bytes must be an int, got '1M'; "),
    ({"ring_bytes": 2e6}, "ring_bytes must be an int, got 2000000.0; "),
    ({"max_batch": True}, "max_batch must be an int, got True; "),
    ({"max_pending": None}, "max_pending must be an int, got None; "),
    ({"hang_timeout": "2"}, "hang_timeout must be a number of seconds or None, got '2'; "),
    ({"imports": "scipy"}, "imports must be a list of modules, by name, got 'scipy'; "),
    ({"imports": [math]}, "imports must be a list of modules, by name, got [<module 'math' "),
    ({"preload": 1}, "preload must be a list of modules, by name, got 1; "),
    ({"idle": "spin"}, "idle must be an IdleStrategy, got 'spin'; "),
    ({"idle": cr.AdaptiveSpin}, "idle must be an IdleStrategy, got <class"),
]


def told(error: type[Exception], options: dict[str, Any]) -> str:
    """What a pool with these options is refused with."""
    with pytest.raises(error) as caught:
        cr.WorkerPool(**options)
    return str(caught.value)


@pytest.mark.parametrize(("options", "rule"), OUT_OF_RANGE)
def test_figures_out_of_range_are_refused_with_rule_value_and_option(
    options: dict[str, Any], rule: str
) -> None:
    (name,) = options
    assert told(ValueError, options) == f"{rule}WorkerPool({name}=...)"


@pytest.mark.parametrize(("options", "rule"), OF_ANOTHER_KIND)
def test_options_of_another_kind_are_refused_before_any_worker_stumbles(
    options: dict[str, Any], rule: str
) -> None:
    message = told(TypeError, options)
    (name,) = options
    assert message.startswith(rule)
    assert f"WorkerPool({name}=" in message
    assert "\n" not in message


def test_the_limits_themselves_are_allowed() -> None:
    cr.WorkerPool(0, ring_bytes=1 << 14, max_batch=1, max_message_bytes=1, max_pending=1, rings=1)
    cr.WorkerPool(1, ring_bytes=1 << 31, max_batch=1 << 20)


def test_pinning_is_refused_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_options, "HAS_AFFINITY", False)
    assert "leave WorkerPool(pin=...) out" in told(ValueError, {"pin": "spread"})


def test_cpus_that_cannot_be_used_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_options, "HAS_AFFINITY", True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1}, raising=False)
    for pin in ([], [4096], 1):
        assert told(ValueError, {"pin": pin}).startswith("pin must name some of the CPUs [0, 1]")


def test_what_cannot_be_resized_is_refused_with_the_rule() -> None:
    with cr.WorkerPool(0) as inline, pytest.raises(ValueError, match="a pool of 0 workers"):
        inline.resize(2)
    with (
        cr.WorkerPool(1) as pool,
        pytest.raises(ValueError, match="workers must be at least 1, got 0"),
    ):
        pool.resize(0)
