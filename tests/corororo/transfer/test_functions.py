"""Which functions ``@async_task`` takes, how calls are bound, how names are resolved."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import msgspec
import pytest

import corororo as cr
from corororo._main_module import resolve


@cr.async_task
def plain(x: int, y: int = 2) -> int:
    """Adds."""
    return x + y


@cr.async_task(retries=0)
def with_keywords(x: int, /, *, factor: int = 10) -> int:
    return x * factor


@cr.async_task
async def coroutine(x: int) -> int:
    return await plain(x)


@cr.async_task
def silent(x, y=None):  # type: ignore[no-untyped-def]
    return x, y


@cr.async_task
def nothing() -> None:
    return None


ran: list[str] = []


@cr.async_task
def note_that_it_ran() -> None:
    ran.append("ran")


def undecorated(x: int) -> int:
    return x


class Holder:
    def method(self) -> None:
        pass


def test_a_function_of_the_main_module_has_one_name_in_program_and_workers() -> None:
    def written() -> None: ...

    written.__qualname__ = "written"
    written.__module__ = "__mp_main__"
    assert cr.async_task(written).name == "__main__:written"


def test_a_function_keeps_its_name_and_docstring() -> None:
    assert plain.__name__ == "plain"
    assert plain.__doc__ == "Adds."
    assert plain.name == f"{__name__}:plain"
    assert inspect.iscoroutinefunction(plain)
    assert str(inspect.signature(plain)) == "(x: 'int', y: 'int' = 2) -> 'int'"
    assert (plain.retries, with_keywords.retries) == (3, 0)


def test_an_inline_call_calls_the_function() -> None:
    assert plain.call_inline(1) == 3
    assert plain.call_inline(1, y=5) == 6
    assert with_keywords.call_inline(3) == 30
    assert with_keywords.call_inline(3, factor=2) == 6
    assert coroutine.call_inline(1) == 3
    assert nothing.call_inline() is None


def test_a_wrong_call_fails_where_it_is_made_and_names_the_function() -> None:
    with pytest.raises(TypeError, match=r"plain\(\).*'z'"):
        plain(1, z=3)  # type: ignore[call-arg, unused-coroutine]
    with pytest.raises(TypeError, match=r"plain\(\) takes from 1 to 2"):
        plain(1, 2, 3)  # type: ignore[call-arg, unused-coroutine]
    with pytest.raises(TypeError, match="missing"):
        plain.call_inline()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"with_keywords\(\) takes 1 positional"):
        with_keywords(3, 2)  # type: ignore[call-arg]


def test_annotations_give_the_types_of_arguments_and_results() -> None:
    decode = msgspec.msgpack.Decoder(plain.argument_types()).decode
    assert decode(msgspec.msgpack.encode((1, 2))) == (1, 2)
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.msgpack.encode((1, "two")))
    assert plain.result_type() is int
    assert nothing.result_type() is type(None)
    assert silent.result_type() is Any
    assert nothing.argument_types() == tuple[()]


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (lambda x: x, "module level"),
        (Holder.method, "module level"),
        (len, "decorates functions, got builtin_function"),
        (Holder, "decorates functions, got type"),
    ],
)
def test_a_function_that_a_worker_could_not_find_is_refused(wrong: Any, rule: str) -> None:
    with pytest.raises(TypeError, match=rule):
        cr.async_task(wrong)


def test_parameters_without_names_and_negative_retries_are_refused() -> None:
    def many(*values: int) -> None: ...

    many.__qualname__ = "many"
    with pytest.raises(TypeError, match=r"named parameters, got \*values.*take a list"):
        cr.async_task(many)
    with pytest.raises(ValueError, match="got -1"):
        cr.async_task(retries=-1)


def test_a_name_is_resolved_to_its_decorated_function() -> None:
    assert resolve(plain.name) is plain


@pytest.mark.parametrize(
    "name",
    [
        f"{__name__}:undecorated",
        f"{__name__}:Holder",
        f"{__name__}:missing",
        "os:system",
        "builtins:eval",
        "no.such.module:f",
        "no_colon",
    ],
)
def test_no_other_name_is_resolved(name: str) -> None:
    with pytest.raises(LookupError, match=r"under @async_task|cannot import"):
        resolve(name)


def test_an_import_that_fails_is_reported_with_its_error(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_that_fails.py").write_text("raise RuntimeError('at import')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError, match="at import"):
        resolve("module_that_fails:f")
    assert "module_that_fails" not in sys.modules


def test_a_call_runs_nothing_before_it_is_awaited() -> None:
    call = note_that_it_ran()
    call.close()
    assert ran == []
    with cr.Scheduler() as scheduler:
        scheduler.run(note_that_it_ran())
    assert ran == ["ran"]
