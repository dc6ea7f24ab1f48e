"""Exceptions as data and back, and the error for an argument without an encoding."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pathlib
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any
from urllib.error import URLError

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


class Keyworded(Exception):
    def __init__(self, *, code: int, at: tuple[int, int]) -> None:
        super().__init__(f"no map {code}")
        self.code = code
        self.at = at


class Slotted(LookupError):
    __slots__ = ("inner", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.inner = None


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


class SaveFailed(OSError):
    def __init__(self, name: str) -> None:
        super().__init__(28, "No space left", name)
        self.slot = 3


class NoSuchMap(KeyError, OSError):
    pass


class Many(ExceptionGroup[Exception]):
    def __new__(cls, errors: list[Exception], code: int) -> Many:
        return super().__new__(cls, f"code {code}", errors)

    def __init__(self, errors: list[Exception], code: int) -> None:
        self.code = code


class NeedsAnObject(ValueError):
    def __init__(self) -> None:
        self.thing = object()

    def __str__(self) -> str:
        return f"not with {self.thing.__class__.__name__}: {self.thing.__hash__()}"


class CannotBeShown(Exception):
    def __str__(self) -> str:
        raise SystemExit("not now")


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


SLOTS = ("errno", "strerror", "filename", "filename2", "name", "path", "lineno", "object", "key")


def contents(error: Any) -> Any:
    """All that a handler can see of an exception, but its cause; any other value as it is."""
    if not isinstance(error, BaseException):
        return error
    if isinstance(error, BaseExceptionGroup):
        members = [contents(member) for member in error.exceptions]
        return type(error), str(error), vars(error), members
    slots = [getattr(error, name, None) for name in SLOTS]
    arguments = [contents(argument) for argument in error.args]
    attributes = {name: contents(value) for name, value in vars(error).items()}
    return type(error), str(error), arguments, attributes, slots


def error_of(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


def noted(error: Exception) -> Exception:
    error.add_note("in zone 3")
    error.add_note("at dusk")
    error.zone = 3  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "error",
    [
        Plain(),
        Plain("text", b"", 1, 2.5, True, None, [1, {2: 3}]),
        KeyError((3, 7)),
        Plain({(1, 2): {3}, None: (frozenset({4}), [(5,)])}),
        OSError("only text"),
        FileExistsError(17, "File exists", "map"),
        error_of(lambda: os.stat("/no/such/file")),
        error_of(lambda: os.rename("/no/such/file", "/nor/this")),
        FileNotFoundError(2, "No such file", "name\udcff"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
        error_of(lambda: json.loads("[1,\n2")),
        error_of(lambda: compile("a b", "map.py", "exec")),
        error_of(lambda: importlib.import_module("no_such_module")),
        subprocess.CalledProcessError(1, ["ls", "-l"], b"out"),
        Keyworded(code=404, at=(3, 7)),
        Slotted("key"),
        Frozen(404),
        SaveFailed("map"),
        NoSuchMap(2, "map"),
        Outer.Inner("nested"),
        ValueError(Outer.Inner("held")),
        URLError(ConnectionRefusedError(111, "refused")),
        noted(Plain("text")),
        cr.ReplyTooLarge("too large"),
        noted(ExceptionGroup("all", [ValueError(1), ExceptionGroup("some", [SaveFailed("map")])])),
        Many([ValueError(1), noted(KeyError("x"))], 3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_arrives_with_its_class_arguments_attributes_notes_and_members(
    error: Exception,
) -> None:
    assert contents(there_and_back(error)) == contents(error)


def test_what_is_not_plain_data_arrives_as_text_or_is_left_out() -> None:
    error = ValueError("with", pathlib.Path("map"), 10**30, "x" * 100_000)
    error.at = Outer()  # type: ignore[attr-defined]
    rebuilt = there_and_back(error)
    assert type(rebuilt) is ValueError
    assert rebuilt.args == ("with", "map", str(10**30), "x" * 65_536)
    assert vars(rebuilt) == {}


def test_an_exception_that_holds_another_arrives_without_those_that_this_one_holds() -> None:
    error, held = ValueError("outer"), KeyError("held")
    error.held, held.by = held, error  # type: ignore[attr-defined]
    rebuilt: Any = there_and_back(error)
    assert contents(rebuilt.held) == contents(KeyError("held"))


def in_a_function() -> BaseException:
    class Local(KeyError, cr.StaleHandle):
        pass

    return Local("x")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit(3), "raised builtins.SystemExit: 3"),
        (KeyboardInterrupt(), "raised builtins.KeyboardInterrupt"),
        (GeneratorExit(), "raised builtins.GeneratorExit"),
        (
            BaseExceptionGroup("all", [SystemExit(1)]),
            "raised builtins.BaseExceptionGroup: all (1 sub-exception)",
        ),
        (
            in_a_function(),
            f"raised {__name__}.in_a_function.<locals>.Local (derived from KeyError, "
            f"corororo._exceptions.StaleHandle, corororo._exceptions.CorororoError, LookupError)"
            f": 'x'",
        ),
        (
            NeedsAnObject(),
            f"raised {__name__}.NeedsAnObject (derived from ValueError): not with object: ",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_other_exception_becomes_one_that_names_its_class_and_bases(
    error: BaseException, message: str
) -> None:
    error.add_note("in zone 3")
    rebuilt = there_and_back(error)
    assert type(rebuilt) is cr.AsyncTaskFailed
    assert str(rebuilt).startswith(f"module:function {message}")
    assert rebuilt.__notes__ == ["in zone 3"]


def test_members_of_a_group_that_cannot_be_rebuilt_leave_the_others_as_they_are() -> None:
    rebuilt = there_and_back(ExceptionGroup("all", [KeyError("x"), NeedsAnObject()]))
    assert isinstance(rebuilt, ExceptionGroup)
    assert [type(member) for member in rebuilt.exceptions] == [KeyError, cr.AsyncTaskFailed]


def test_the_traceback_of_the_worker_is_the_cause() -> None:
    error = ValueError("text")
    error.__cause__ = KeyError("before")
    cause = there_and_back(error).__cause__
    assert isinstance(cause, cr.RemoteTraceback)
    assert "Traceback (most recent call last)" in str(cause)
    assert "in there_and_back" in str(cause)
    assert "KeyError: 'before'" in str(cause)
    assert "ValueError: text" in str(cause)


def nested_groups(depth: int) -> Exception:
    error: Exception = ValueError("innermost")
    for _ in range(depth):
        error = ExceptionGroup("around", [error])
    return error


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "error",
    [
        CannotBeShown("x"),
        Plain("\ud800"),
        Plain(LOOP),
        nested_groups(5_000),
        ExceptionGroup("very many", [ValueError(n) for n in range(20_000)]),
        noted(Plain("x" * 5_000_000)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_be_shown_is_too_deep_or_too_large_becomes_one_bounded_failure(
    error: Exception,
) -> None:
    assert len(msgspec.msgpack.encode(describe_failure(error))) < 2_000_000
    rebuilt = there_and_back(error)
    assert isinstance(rebuilt, type(error) | cr.AsyncTaskFailed)
    assert isinstance(rebuilt.__cause__, cr.RemoteTraceback)


class Armed(type):
    """Everything that this class or its instances would run ends the program, once armed."""

    armed = False

    def __getattribute__(cls, name: str) -> Any:
        fire()
        return super().__getattribute__(name)

    def __call__(cls, *args: Any) -> Any:
        fire()
        return super().__call__(*args)

    def __eq__(cls, other: object) -> bool:
        fire()
        return cls is other

    def __hash__(cls) -> int:
        fire()
        return 1


def fire(*args: object) -> None:
    if Armed.armed:
        raise SystemExit("code of the class ran")


class Mined(OSError, metaclass=Armed):
    def __new__(cls, *args: Any) -> Mined:
        fire()
        return super().__new__(cls, *args)

    def __init__(self, *args: Any) -> None:
        fire()
        super().__init__(*args)
        vars(self)["trap"] = 1

    def __getattribute__(self, name: str) -> Any:
        fire()
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        fire()

    trap = property(fire, fire)


def test_no_code_of_a_class_or_module_runs_when_its_exception_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failure = describe_failure(Mined(2, "No such file", "map"))
    monkeypatch.setattr(Armed, "armed", True)
    rebuilt = rebuild_failure(failure, "module:function")
    monkeypatch.setattr(Armed, "armed", False)
    assert type(rebuilt) is Mined
    assert rebuilt.filename == "map"
    assert vars(rebuilt) == {"trap": 1}


class FiringModule(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("no_such_module", "Error"),
        ("a_firing_module", "Error"),
        ("", ""),
    ],
)
def test_nothing_but_exceptions_of_imported_modules_is_ever_made(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "a_firing_module", FiringModule("a_firing_module"))
    genuine = describe_failure(ValueError("true"))
    forged = msgspec.structs.replace(genuine, module=module, qualified_name=name)
    assert type(rebuild_failure(forged, "f")) is cr.AsyncTaskFailed


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\x91" * 100_000,
        msgspec.msgpack.encode(([], {}, [])),
        msgspec.msgpack.encode(([1], {"object": "text", "end": 2, "start": None, "args": 3}, [])),
        msgspec.msgpack.encode(([1], {"message": 5}, [describe_failure(ValueError(1))])),
    ],
)
@pytest.mark.parametrize("name", ["ValueError", "UnicodeDecodeError", "ExceptionGroup", "OSError"])
def test_whatever_state_arrives_there_is_an_exception_to_raise(name: str, state: bytes) -> None:
    rebuilt = rebuild_failure(Failure("builtins", name, "summary", [], state, "text"), "f")
    assert isinstance(rebuilt, Exception)
    assert isinstance(str(rebuilt), str)


# -- arguments


class Order(msgspec.Struct):
    items: list[Any]


@dataclasses.dataclass
class Basket:
    orders: dict[str, Any]


@cr.async_task
def ship(to: str, what: Any) -> None:
    del to, what


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
