"""Which functions of a main module a worker can find."""

from __future__ import annotations

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
    problem = main_module_problem(make_function(written_in, **module), None)
    assert problem is not None
    assert problem.startswith("f stands in no file that a worker can import")


def test_workers_find_functions_of_the_main_module_that_they_run_and_of_no_other() -> None:
    function = make_function(__file__, __file__=__file__)
    assert main_module_problem(function, __file__) is None
    problem = main_module_problem(function, "/another.py")
    assert problem is not None
    assert f"{__file__}, and workers run the main module of the pool's owner, /another" in problem


def test_functions_of_other_modules_need_no_main_module() -> None:
    assert main_module_problem(make_function("<string>", __name__="made_up"), None) is None
