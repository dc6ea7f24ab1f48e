"""The main module of a program, which its workers run under another name to find its functions."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import process
from typing import Any, NamedTuple

MAIN_NAMES = ("__main__", "__mp_main__")  # in the program, in its workers

_modules: dict[str, Mapping[str, Any]] = {}  # the globals of those with functions for workers


class MainModule(NamedTuple):
    """What a worker runs: a module by its name, or the path of a script, a folder or a zip file."""

    name: str | None
    path: str


def name_in_program(module: str) -> str:
    """The name that a module of a worker has in the program."""
    return "__main__" if module in MAIN_NAMES else module


def note_function(function: Callable[..., Any]) -> None:
    """A function that workers may have to find."""
    if main_module_problem(function) is None:
        written: Any = inspect.unwrap(function)
        _modules[function.__module__] = written.__globals__


def main_module_problem(function: Callable[..., Any]) -> str | None:
    """Why a worker cannot find this function of the main module; None where it can."""
    if function.__module__ not in MAIN_NAMES:
        return None
    written: Any = inspect.unwrap(function)  # a decorator of another module may wrap it
    is_typed = written.__code__.co_filename.startswith("<")
    if not is_typed and _find(written.__globals__) is not None:
        return None
    return (
        f"{function.__qualname__} stands in no file that a worker could import (but at a prompt, "
        f"in a notebook, after -c or in standard input); move it to a module of its own and import "
        f"it from there, or run it without workers: Scheduler() without a pool"
    )


def find_main_module() -> MainModule | None:
    """The main module of this program; None where a worker cannot run it."""
    # Under a profiler that of the program is not the one in sys.modules.
    noted = [_modules[name] for name in MAIN_NAMES if name in _modules]
    return _find(noted[0] if noted else vars(sys.modules["__main__"]))


def modules_to_import() -> list[str]:
    """What workers import at their start, since a failure should fail the start of the pool.

    It is the main module, if it has functions for workers, and a module that starts the pool while
    it is imported.
    """
    return [name for name, module in _modules.items() if name in MAIN_NAMES or _is_starting(module)]


def _find(module: Mapping[str, Any]) -> MainModule | None:
    spec, path = module.get("__spec__"), module.get("__file__")
    if path is None:
        return None
    if spec is not None and spec.loader is not None:
        if spec.name not in MAIN_NAMES:  # it was started with python -m
            return MainModule(spec.name, path)
        path = os.path.dirname(path)  # a folder or a zip file, which holds __main__.py
    path = os.path.join(process.ORIGINAL_DIR or "", path)  # type: ignore[attr-defined]
    return MainModule(None, path) if os.path.exists(path) else None


def _is_starting(module: Mapping[str, Any]) -> bool:
    return getattr(module.get("__spec__"), "_initializing", False)
