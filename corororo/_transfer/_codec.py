"""A batch to bytes and back. Knows types, and neither rings nor processes.

A request is a msgpack array: how many calls there are, and for each parameter an array with the
arguments of all. A reply is an array of three: nanoseconds of work, the values of the calls that
went well, and the failures by the place of their call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Any, NamedTuple, get_args

import msgspec

from corororo._inline import Columns, run_calls

from ._failures import Failure, describe_failure, rebuild_failure
from ._functions import ENCODER, AsyncTaskFunction
from ._views import holds_views, refers_to_request

_ARRAY = msgspec.msgpack.Decoder(list[msgspec.Raw])
_COUNT = msgspec.msgpack.Decoder(int)
# Objects of these cannot change between the call and its encoding.
_UNCHANGEABLE = {bool, float, int, str, type(None)}  # a bytearray passes as bytes


class Reply(NamedTuple):
    """A decoded reply."""

    busy_ns: int
    values: Sequence[Any]  # one for each call, None where it failed
    failures: dict[int, BaseException] | None


class Request(NamedTuple):
    """A decoded request: its calls, without those whose arguments are not as annotated."""

    calls: Sequence[tuple[Any, ...]]
    wrong: dict[int, BaseException] | None  # why, by the place among all

    def run(
        self, function: Callable[..., Any], before_call: Callable[[int], None] | None = None
    ) -> tuple[list[Any], dict[int, BaseException] | None]:
        """As ``run_calls``, the wrong ones failing in their places."""
        if self.wrong is None:
            return run_calls(function, self.calls, before_call)
        places = [i for i in range(len(self.calls) + len(self.wrong)) if i not in self.wrong]
        before = None if before_call is None else lambda i: before_call(places[i])
        values, failures = run_calls(function, self.calls, before)
        spread: list[Any] = [None] * (len(self.calls) + len(self.wrong))
        for place, value in zip(places, values, strict=True):
            spread[place] = value
        return spread, self.wrong | {places[i]: error for i, error in (failures or {}).items()}


class Codec:
    """Encodes and decodes the batches of one function."""

    def __init__(self, function: AsyncTaskFunction[..., Any]) -> None:
        self.function = function
        argument_types, result_type = function.argument_types(), function.result_type()
        self._copies_requests = refers_to_request(argument_types)
        self.results_hold_views = holds_views(result_type)
        kinds = get_args(argument_types)
        self._unchangeable = all(isinstance(k, type) and k in _UNCHANGEABLE for k in kinds)
        self._call = msgspec.msgpack.Decoder(argument_types)
        columns = [GenericAlias(list, (kind,)) for kind in kinds]
        self._request = msgspec.msgpack.Decoder(GenericAlias(tuple, (int, *columns)))
        self._value = msgspec.msgpack.Decoder(result_type)
        self._reply = msgspec.msgpack.Decoder(
            tuple[int, list[result_type], dict[int, Failure] | None]  # type: ignore[valid-type]
        )
        self._loose_reply = msgspec.msgpack.Decoder(
            tuple[int, msgspec.Raw, dict[int, Failure] | None]
        )

    def encode_request(self, arguments: Sequence[tuple[Any, ...]]) -> bytes:
        """Raises TypeError or another error of msgspec where an argument has no encoding."""
        return ENCODER.encode(as_request(arguments))

    def as_they_are(self, arguments: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """The calls as they are now, whatever becomes of their objects.

        One without an encoding stays what it is: why is told when it is its turn.
        """
        if self._unchangeable:  # where it is not as annotated, it is refused in any case
            return arguments
        try:
            return calls_as_encoded(self.encode_request(arguments))
        except Exception:  # of whichever call
            if len(arguments) == 1:
                return arguments
            half = len(arguments) // 2
            return [*self.as_they_are(arguments[:half]), *self.as_they_are(arguments[half:])]

    def decode_request(self, data: bytes | memoryview) -> Request:
        """``data`` is decoded in place; arguments that would refer to it get a copy to refer to."""
        if self._copies_requests:
            data = bytes(data)
        try:
            calls, *columns = self._request.decode(data)
        except Exception:  # a type's __post_init__ may raise anything
            return self._decode_each(calls_as_encoded(data))
        return Request(Columns(columns, calls), None)

    def _decode_each(self, encoded: Columns) -> Request:
        good: list[tuple[Any, ...]] = []
        wrong: dict[int, BaseException] = {}
        for place, call in enumerate(encoded):
            try:
                good.append(self._call.decode(ENCODER.encode(call)))
            except Exception as error:
                what = f"arguments of {self.function.name}"
                wrong[place] = TypeError(f"{what}: {str(error) or repr(error)}")
        return Request(good, wrong)

    def encode_reply(
        self, busy_ns: int, values: list[Any], failures: dict[int, BaseException] | None
    ) -> bytes:
        """``values`` has None where a call failed; a value without an encoding fails its call."""
        if failures is None:
            try:
                return ENCODER.encode((busy_ns, values, None))
            except Exception:  # of whichever value: it is found below
                failures = {}
        told = {place: describe_failure(error) for place, error in failures.items()}
        good = []
        for place, value in enumerate(values):
            if place not in told:
                try:
                    good.append(msgspec.Raw(ENCODER.encode(value)))
                except Exception as error:
                    told[place] = describe_failure(
                        TypeError(f"the result of {self.function.name} has no encoding: {error}")
                    )
        return ENCODER.encode((busy_ns, good, told))

    def decode_reply(self, data: bytes | memoryview) -> Reply:
        """Raises msgspec.DecodeError where the bytes are not a reply at all."""
        try:
            busy_ns, good, told = self._reply.decode(data)
            wrong: dict[int, BaseException] | None = None
        except Exception:  # a value that its type refuses, by whatever its __post_init__ raises
            busy_ns, raw, told = self._loose_reply.decode(data)
            good, wrong = self._decode_values(raw)
        if not told and not wrong:
            return Reply(busy_ns, good, None)
        return self._spread(busy_ns, good, wrong or {}, told or {})

    def _decode_values(self, data: msgspec.Raw) -> tuple[list[Any], dict[int, BaseException]]:
        """Each by itself: a wrong one does not spoil its neighbours."""
        values: list[Any] = []
        wrong: dict[int, BaseException] = {}
        for place, raw in enumerate(_ARRAY.decode(data)):
            try:
                values.append(self._value.decode(raw))
            except Exception as error:
                values.append(None)
                wrong[place] = TypeError(
                    f"result of {self.function.name}: {str(error) or repr(error)}"
                )
        return values, wrong

    def _spread(
        self,
        busy_ns: int,
        good: list[Any],
        wrong: dict[int, BaseException],
        told: dict[int, Failure],
    ) -> Reply:
        values: list[Any] = []
        failures: dict[int, BaseException] = {}
        remaining = iter(enumerate(good))
        for place in range(len(good) + len(told)):
            if place in told:
                failures[place] = rebuild_failure(told[place], self.function.name)
                values.append(None)
            else:
                i, value = next(remaining)
                if i in wrong:
                    failures[place] = wrong[i]
                values.append(value)
        return Reply(busy_ns, values, failures)


def as_request(calls: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """What is encoded to send calls."""
    return len(calls), *Columns.of(calls).columns


def calls_as_encoded(request: bytes | memoryview) -> Columns:
    """The calls of a request, each argument as it was encoded."""
    count, *columns = _ARRAY.decode(request)
    return Columns([_ARRAY.decode(column) for column in columns], _COUNT.decode(count))


def encode_failure_of_all(calls: int, error: BaseException) -> bytes:
    """The reply of a batch none of whose calls could be run or answered."""
    return ENCODER.encode((0, [], dict.fromkeys(range(calls), describe_failure(error))))
