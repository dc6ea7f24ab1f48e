"""Each public name is exported once and documented, and classes show what is documented alone."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from pathlib import Path

import pytest

import corororo as cr

SOURCE = Path(cr.__file__)
EXPORTS = [
    alias.asname or alias.name
    for node in ast.parse(SOURCE.read_text()).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
]


def test_nothing_is_exported_twice() -> None:
    assert [name for name, times in Counter(EXPORTS).items() if times > 1] == []


def test_every_export_keeps_its_name_and_is_meant_to_be_one() -> None:
    pairs = [
        (alias.name, alias.asname)
        for node in ast.parse(SOURCE.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_the_package_shows_its_exports_and_no_other_public_name() -> None:
    shown = {n for n, v in vars(cr).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert shown == set(EXPORTS)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_public_name_has_a_docstring_of_its_own(name: str) -> None:
    thing = getattr(cr, name)
    assert vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__


@pytest.mark.parametrize("name", [n for n in EXPORTS if inspect.isclass(getattr(cr, n))])
def test_the_public_methods_of_a_public_class_have_docstrings(name: str) -> None:
    silent = [
        member
        for member, value in vars(getattr(cr, name)).items()
        if not member.startswith("_") and inspect.isfunction(value) and not value.__doc__
    ]
    assert silent == []


# What the tutorial names, and the end of the with block. Nothing else of these classes is public.
SCHEDULER = {
    "clock",
    "close",
    "format_stacks",
    "run",
    "run_expired_tasks",
    "run_tick",
    "schedule",
    "schedule_at",
    "schedule_delayed",
    "schedule_interval",
    "statistics",
    "tick",
}
CANCEL_SCOPE = {"cancel", "cancelled_caught", "deadline", "shield"}
WORKER_POOL = {
    "address",
    "attach",
    "close",
    "open_transfer",
    "remove_rings_left_behind",  # for programs that replace the processes they start, as zonesim
    "resize",
    "start",
    "statistics",
    "workers",
}


def public_attributes(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_a_scheduler_and_what_tasks_get_show_the_documented_names_alone() -> None:
    with cr.Scheduler() as scheduler:
        assert public_attributes(scheduler) == SCHEDULER
    assert public_attributes(cr.CancelScope()) == CANCEL_SCOPE
    assert public_attributes(cr.open_nursery()) == {"cancel_scope", "start_soon"}


def test_a_worker_pool_shows_the_documented_names_alone() -> None:
    with cr.WorkerPool(workers=0) as pool:
        assert public_attributes(pool) == WORKER_POOL
