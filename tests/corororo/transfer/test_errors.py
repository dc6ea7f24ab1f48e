"""Exceptions as data and back, and the error for an argument without an encoding."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

import corororo as cr
from corororo._transfer._errors import (
    Failure,
    argument_error,
    describe_failure,
    rebuild_failure,
)


class Plain(Exception):
    pass


class TwoArguments(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code


class LosesItsArguments(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(f"no {name} here")


class CannotBeShown(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not now")


class Hashable(msgspec.Struct, frozen=True):
    x: int


class Outer:
    class Inner(Exception):
        pass


def there_and_back(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        failure = describe_failure(raised)
    travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(failure), type=Failure)
    return rebuild_failure(travelled, "module:function")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("text"),
        KeyError("key"),
        OSError(2, "No such file"),
        Plain(),
        Plain(1, [2.5, None], {"a": b"b"}),
        TwoArguments(404, "missing"),
        Outer.Inner("nested"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
        cr.ReplyTooLarge("too large"),
    ],
)
def test_a_class_that_can_be_rebuilt_is_raised_as_itself(error: Exception) -> None:
    rebuilt = there_and_back(error)
    assert type(rebuilt) is type(error)
    assert str(rebuilt) == str(error)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Plain(object()), "test_errors.Plain"),
        (LosesItsArguments("map"), "test_errors.LosesItsArguments: no map here"),
        (SystemExit(3), "builtins.SystemExit: 3"),
        (KeyboardInterrupt(), "builtins.KeyboardInterrupt"),
        (GeneratorExit(), "builtins.GeneratorExit"),
    ],
)
def test_any_other_exception_becomes_one_that_names_its_class(error: Exception, name: str) -> None:
    rebuilt = there_and_back(error)
    assert type(rebuilt) is cr.AsyncTaskFailed
    assert f"module:function raised {name}" in str(rebuilt)


def test_the_traceback_of_the_worker_is_the_cause() -> None:
    cause = there_and_back(ValueError("text")).__cause__
    assert isinstance(cause, cr.RemoteTraceback)
    assert "Traceback (most recent call last)" in str(cause)
    assert "in there_and_back" in str(cause)
    assert "ValueError: text" in str(cause)


@pytest.mark.parametrize(
    "error",
    [
        CannotBeShown("x"),
        FileNotFoundError(2, "No such file", "name\udcff"),
        Plain("\ud800"),
        Plain({Hashable(1): 2}),  # can be encoded and not decoded
    ],
)
def test_an_exception_that_cannot_be_shown_or_encoded_travels_all_the_same(
    error: Exception,
) -> None:
    rebuilt = there_and_back(error)
    assert isinstance(rebuilt, type(error) | cr.AsyncTaskFailed)
    assert isinstance(rebuilt.__cause__, cr.RemoteTraceback)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("no_such_module", "Error"),
        ("", ""),
    ],
)
def test_nothing_but_exceptions_of_imported_modules_is_ever_called(module: str, name: str) -> None:
    arguments: Any = msgspec.Raw(msgspec.msgpack.encode(["true"]))
    forged = Failure(module, name, arguments, "message", "traceback")
    assert type(rebuild_failure(forged, "f")) is cr.AsyncTaskFailed


# -- arguments


class Order(msgspec.Struct):
    items: list[Any]


@dataclasses.dataclass
class Basket:
    orders: dict[str, Any]


@cr.async_task
def ship(to: str, what: Any) -> None:
    del to, what


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("what", "path"),
    [
        (object(), "what: a builtins.object cannot be encoded"),
        ([1, object()], "what[1]: a builtins.object cannot be encoded"),
        ({"a": {"b": (1, object())}}, "what['a']['b'][1]: "),
        (Order([0, object()]), "what.items[1]: "),
        (Basket({"x": object()}), "what.orders['x']: "),
        ([2**80], "what[0]: "),
        (LOOP, "what[0]"),
    ],
)
def test_the_parameter_and_the_path_inside_it_are_named(what: Any, path: str) -> None:
    cause = TypeError("the encoder's error")
    error = argument_error(ship, ("me", what), cause)
    assert f"test_errors:ship: argument {path}" in str(error)
    assert error.__cause__ is cause
