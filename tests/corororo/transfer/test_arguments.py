"""What a caller is told of an argument without an encoding."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

import corororo as cr
from corororo._transfer._arguments import argument_error


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
        (object(), "what: "),
        ([1, object()], "what[1]: "),
        ({"a": {"b": (1, object())}}, "what['a']['b'][1]: "),
        (Order([0, object()]), "what.items[1]: "),
        (Basket({"x": object()}), "what.orders['x']: "),
    ],
)
def test_the_parameter_and_the_path_inside_it_are_named(what: Any, path: str) -> None:
    cause = TypeError("whatever the encoder said")
    error = argument_error(ship, ("me", what), cause)
    assert f"argument {path}a builtins.object cannot be encoded" in str(error)
    assert "test_arguments:ship" in str(error)
    assert error.__cause__ is cause


def test_a_value_that_contains_itself_is_an_error_and_not_a_hang() -> None:
    loop: list[Any] = []
    loop.append(loop)
    error = argument_error(ship, ("me", loop), RecursionError("too deep"))
    assert "argument what[0]" in str(error)


def test_an_integer_out_of_range_is_named_with_its_place() -> None:
    error = argument_error(ship, ("me", [2**80]), OverflowError("out of range"))
    assert "argument what[0]: " in str(error)
