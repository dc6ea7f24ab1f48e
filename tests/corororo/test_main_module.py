"""Which functions of a main module a worker can find."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from corororo._main_module import main_module_problem

SOURCE = "def f(): pass"


def make_function(written_in: str, **module: Any) -> FunctionType:
    """A function ``f`` of a main module with these globals."""
    namespace = {"__name__": "__main__", **module}
    exec(compile(SOURCE, written_in, "exec"), namespace)
    function = namespace["f"]
    assert isinstance(function, FunctionType)
    return function


def spec(name: str) -> ModuleSpec:
    return ModuleSpec(name, SourceFileLoader(name, "x"))


FINDABLE: dict[str, Callable[[str], dict[str, Any]]] = {
    "script": lambda file: {"__file__": file, "__spec__": None},
    "python -m package": lambda file: {"__file__": file, "__spec__": spec("pkg.__main__")},
    "folder or zip": lambda file: {"__file__": file, "__spec__": spec("__main__")},
    "python -m cProfile": lambda file: {"__file__": file, "__spec__": ModuleSpec("__main__", None)},
}


@pytest.mark.parametrize("way", FINDABLE)
def test_a_worker_finds_functions_of_a_main_module_with_a_file(tmp_path: Path, way: str) -> None:
    file = tmp_path / "__main__.py"
    file.write_text(SOURCE)
    assert main_module_problem(make_function(str(file), **FINDABLE[way](str(file)))) is None


@pytest.mark.parametrize(
    ("written_in", "module"),
    [
        ("<stdin>", {"__file__": "<stdin>"}),
        ("<string>", {}),
        ("/tmp/ipykernel_1/2.py", {"__spec__": None}),
        ("<python-input-3>", {"__file__": __file__}),  # python -i script.py
    ],
    ids=["standard input", "-c", "notebook", "prompt after a script"],
)
def test_a_worker_finds_no_function_without_a_file(written_in: str, module: dict[str, Any]) -> None:
    problem = main_module_problem(make_function(written_in, **module))
    assert problem is not None
    assert problem.startswith("f stands in no file that a worker could import")


def test_functions_of_other_modules_need_no_main_module() -> None:
    assert main_module_problem(make_function("<string>", __name__="made_up")) is None
