"""The modules of a program as its workers import them to find functions, the main module above all.

Functions travel by name, and a name is resolved only to a decorated function, so nothing that
arrives in a worker can call anything else. A worker runs the main module under the name that
``multiprocessing`` gives it there, and only if the main module has functions for it.
"""

from __future__ import annotations

import importlib
import inspect
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from multiprocessing import process
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ._exceptions import PoolFailed

MAIN = "__main__"
MAIN_OF_WORKER = "__mp_main__"

_modules: dict[str, Mapping[str, Any]] = {}  # the globals of those with functions for workers
_main: MainModule | None = None  # in a worker: that of the program


class MainModule(NamedTuple):
    """What a worker runs: a module by its name, or the path of a script, a folder or a zip file."""

    name: str | None
    path: str


def name_in_program(module: str) -> str:
    """The name that a module of a worker has in the program."""
    return MAIN if module == MAIN_OF_WORKER else module


def as_written(function: Callable[..., Any]) -> Any:
    """The function that was written: a decorator of another module may have wrapped it."""
    written = inspect.unwrap(function)
    return written if isinstance(written, FunctionType) else function


# -- in the program


def note_function(function: Callable[..., Any]) -> None:
    """A function that workers may have to find."""
    if name_in_program(function.__module__) != MAIN or _main_module_of(function) is not None:
        _modules[name_in_program(function.__module__)] = as_written(function).__globals__


def main_module_problem(function: Callable[..., Any], workers_run: str | None) -> str | None:
    """Why workers cannot find this function of a main module; None where they can.

    ``workers_run`` is the path of the main module of the pool's owner, which they run.
    """
    if name_in_program(function.__module__) != MAIN:
        return None
    main = _main_module_of(function)
    if main is None:
        place = "no file that a worker can import: prompts, notebooks, standard input, -c have none"
    elif main.path != workers_run:
        theirs = workers_run or "which has no file"
        place = f"{main.path}, and workers run the main module of the pool's owner, {theirs}"
    else:
        return None
    return (
        f"{function.__qualname__} stands in {place}; move it to a module of its own and import it "
        f"from there, or run it without workers: Scheduler() without a pool"
    )


def check_resolvable(name: str, function: Callable[..., Any]) -> None:
    """Raise TypeError where a worker would find something else under the function's name."""
    found = as_written(function).__globals__.get(function.__qualname__)
    if not _is_async_task(found):
        what = "nothing" if found is None else f"a {type(found).__name__} without @async_task"
        problem = (
            f"{what}; put @async_task above all other decorators, and keep the result under the "
            f"name of the function in its module"
        )
    elif found.original is not function:
        problem = "another function, defined later; give each function a name of its own"
    else:
        return
    raise TypeError(f"{name}: a worker looks for it by this name, and finds {problem}")


def find_main_module() -> MainModule | None:
    """The main module of this program; None where a worker cannot run it."""
    # Under a profiler that of the program is not the one in sys.modules.
    return _find(_modules.get(MAIN) or vars(sys.modules[MAIN]))


def modules_to_import(idle: object) -> list[str]:
    """What workers import at their start, so that the start of the pool fails where they cannot.

    It is the main module, if it has functions for workers or the class of ``idle``, and a module
    with functions that starts the pool while it is imported.
    """
    names = {name for name, module in _modules.items() if name == MAIN or _is_starting(module)}
    return [*names | ({name_in_program(type(idle).__module__)} & {MAIN})]


def check_not_importing() -> None:
    """Raise PoolFailed in a process that is importing a module of its program."""
    if not getattr(process.current_process(), "_inheriting", False):
        return
    frame = sys._getframe()
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    raise PoolFailed(
        f"{frame.f_code.co_filename}, line {frame.f_lineno}, starts a pool when it is imported; "
        f'start it under `if __name__ == "__main__":`, or in a function called from there'
    )


# -- in a worker


def set_main_module(main: MainModule | None) -> None:
    """What ``import_module`` runs, once, when the main module is asked for."""
    global _main
    _main = main


def import_module(name: str) -> ModuleType:
    """Import a module to find its functions; meanwhile no process can be started.

    Raises what its code raises, and ImportError where it ends the program.
    """
    worker: Any = process.current_process()
    worker._inheriting = True  # as multiprocessing marks it
    try:
        if name == MAIN and _main is not None:
            _run(_main)
            set_main_module(None)
        return importlib.import_module(name)
    except SystemExit as error:
        failure = ImportError(f"{name} raises {error!r} when it is imported")
        raise failure.with_traceback(error.__traceback__) from None
    finally:
        del worker._inheriting


def resolve(name: str) -> Any:
    """The function of this name; raises LookupError unless it is under ``@async_task``."""
    module_name, _, qualified_name = name.partition(":")
    try:
        found = getattr(import_module(module_name), qualified_name, None)
    except Exception as error:  # an import may raise anything
        raise LookupError(f"cannot import {module_name} to find {name}: {error!r}") from error
    if not _is_async_task(found):
        raise LookupError(
            f"a worker that imports {module_name} finds no function {qualified_name} under "
            f'@async_task there; define it at module level, not under `if __name__ == "__main__":`'
        )
    return found


def _is_async_task(found: Any) -> bool:
    # functools.wraps copies the attributes of what it wraps.
    return callable(found) and getattr(found, "coroutine_function", None) is found


def _run(main: MainModule) -> None:
    module = ModuleType(MAIN_OF_WORKER)
    if main.name is None:
        content = runpy.run_path(main.path, run_name=MAIN_OF_WORKER)
    else:
        content = runpy.run_module(main.name, run_name=MAIN_OF_WORKER, alter_sys=True)
    vars(module).update(content)
    sys.modules[MAIN] = sys.modules[MAIN_OF_WORKER] = module


def _main_module_of(function: Callable[..., Any]) -> MainModule | None:
    written = as_written(function)
    return None if written.__code__.co_filename.startswith("<") else _find(written.__globals__)


def _find(module: Mapping[str, Any]) -> MainModule | None:
    spec, path = module.get("__spec__"), module.get("__file__")
    if path is None:
        return None
    if spec is not None and spec.loader is not None:
        if spec.name not in (MAIN, MAIN_OF_WORKER):  # it was started with python -m
            return MainModule(spec.name, os.path.normpath(path))
        path = os.path.dirname(path)  # a folder or a zip file, which holds __main__.py
    path = os.path.join(process.ORIGINAL_DIR or "", path)  # type: ignore[attr-defined]
    return MainModule(None, os.path.normpath(path)) if os.path.exists(path) else None


def _is_starting(module: Mapping[str, Any]) -> bool:
    return getattr(module.get("__spec__"), "_initializing", False)
