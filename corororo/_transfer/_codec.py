"""The codec of batches: the calls of one function, together.

A request is a msgpack array: the number of calls, then for each parameter an array with the
arguments of all calls. A reply is an array of three: nanoseconds of work, the values of all calls,
nil for one that failed, and nil or the failures by the index of their call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import GenericAlias
from typing import Any, NamedTuple, get_args

import msgspec

from corororo._inline import Columns, Outcomes, Part, all_failed, run_calls
from corororo.abc import AsyncFunction

from ._annotations import check_hints, formatted, holds_views, refers_to_request, with_formats
from ._arrays import ArrayEncoder, Message
from ._compiler import check_of
from ._errors import Failure, argument_error, describe_failure, rebuild_failure
from ._types import ENCODER, decoder, encode_custom

_ARRAY = msgspec.msgpack.Decoder(list[msgspec.Raw])
_COUNT = msgspec.msgpack.Decoder(int)
_OUTCOMES = msgspec.msgpack.Decoder(tuple[int, list[msgspec.Raw], dict[int, Failure] | None])
_PYTHON_NAMES = {
    "array": "list, tuple or set",
    "object": "dict",
    "null": "None",
    "ext": "numpy.ndarray or instance of a registered class",
    "FormattedView": "memoryview",
}
_MSGSPEC_NAME = re.compile(rf"(?<=[` ])({'|'.join(_PYTHON_NAMES)})(?=[` ])")
NIL = msgspec.Raw(ENCODER.encode(None))
_IMMUTABLE = {bool, float, int, str, type(None)}  # not bytes: a bytearray passes as bytes


class Reply(NamedTuple):
    """A decoded reply."""

    busy_ns: int
    values: list[Any]  # one for each call, None where it failed
    failures: dict[int, BaseException] | None


class Codec:
    """Encodes and decodes the batches of one function."""

    def __init__(self, function: AsyncFunction) -> None:
        self.function = function
        argument_types, result_type = function.argument_types(), function.result_type()
        kinds = get_args(argument_types)
        names = [*function.parameter_names, "return"]
        check_hints(dict(zip(names, (*kinds, result_type), strict=True)), function.name)
        self._copies_requests = refers_to_request(argument_types)
        may_hold_arrays = self._copies_requests or refers_to_request(result_type)
        self._encode = ArrayEncoder(encode_custom).encode if may_hold_arrays else _encode_plain
        self._arguments_hold_views = holds_views(argument_types)
        self.results_hold_views = holds_views(result_type)
        self._is_immutable = all(isinstance(k, type) and k in _IMMUTABLE for k in kinds)
        self._checks = [check_of(kind) for kind in kinds]
        self._is_checked = any(self._checks)
        self._result_check = check_of(result_type)
        columns = [GenericAlias(list, (kind,)) for kind in kinds]
        self._request = decoder(GenericAlias(tuple, (int, *columns)))
        self._call = decoder(with_formats(argument_types))
        self._values = decoder(tuple[int, list[result_type], None])  # type: ignore[valid-type]
        self._value = decoder(with_formats(result_type))
        self.may_return_none = _takes_none(with_formats(result_type))

    def encode_request(self, arguments: Sequence[tuple[Any, ...]]) -> bytes:
        """The request as it is now, whatever is done with the arguments later."""
        return b"".join(self.request_parts(arguments))

    def request_parts(self, arguments: Sequence[tuple[Any, ...]]) -> Message:
        """Raises TypeError or another error of msgspec if an argument cannot be sent as it is."""
        columns = Columns.of(arguments).columns
        if self._arguments_hold_views:
            columns = list(map(formatted, columns))
        request = self._encode((len(arguments), *columns))  # raises for what contains itself
        if self._is_checked:
            self._check_columns(columns)
        return request

    def _check_columns(self, columns: Sequence[Sequence[Any]]) -> None:
        for name, check, column in zip(
            self.function.parameter_names, self._checks, columns, strict=True
        ):
            if check is not None and not check.fits(column):
                problems = filter(None, (check.explain(value, name) for value in column))
                raise TypeError(f"{self.function.name}: argument {next(problems)}")

    def snapshot(self, arguments: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """A copy of the calls that no longer depends on the objects of the caller.

        A call without an encoding stays as it is: it is refused when its turn comes.
        """
        if self._is_immutable:  # an argument of another type is refused in any case
            return arguments
        try:
            return calls_as_encoded(self.encode_request(arguments))
        except Exception:  # some call has no encoding
            if len(arguments) == 1:
                return arguments
            half = len(arguments) // 2
            return [*self.snapshot(arguments[:half]), *self.snapshot(arguments[half:])]

    def prepare(self, arguments: Sequence[tuple[Any, ...]]) -> Iterator[Part]:
        """Encode calls, for this process to run them later."""
        calls = len(arguments)
        try:
            request = self.encode_request(arguments)
        except Exception as error:  # the encoder may raise anything
            if calls > 1:
                yield from self.prepare(arguments[: calls // 2])
                yield from self.prepare(arguments[calls // 2 :])
            else:
                refusal = argument_error(self.function, arguments[0], error)
                yield calls, partial(all_failed, calls, refusal)
        else:
            yield calls, partial(self._run_here, request, calls)

    def run_request(
        self, data: bytes | memoryview, before_call: Callable[[int], None] | None = None
    ) -> Outcomes:
        """Decode a request in place and run its calls, as ``run_calls`` does."""
        if self._copies_requests:  # arguments refer to the bytes they were decoded from
            data = bytes(data)
        try:
            calls, *columns = self._request.decode(data)
        except (Exception, SystemExit):  # not as annotated; a __post_init__ may raise anything
            return run_calls(self._decode_and_run, calls_as_encoded(bytes(data)), before_call)
        return run_calls(self.function.run, Columns(columns, calls), before_call)

    def _run_here(self, request: bytes, calls: int) -> Outcomes:
        """Run calls in this process, with the outcomes that a worker would give.

        Errors keep the frames in which they were raised, for debuggers. A KeyboardInterrupt or
        SystemExit stays as it is: a signal may have brought it.
        """
        try:
            values, raised = self.run_request(request)
            _, values, failures = self.decode_reply(self.encode_reply(0, values, raised))
        except Exception as error:  # too deep, or no memory
            return all_failed(calls, error)
        if raised and failures:
            for place, original in raised.items():
                if isinstance(original, KeyboardInterrupt | SystemExit):
                    failures[place] = original
                else:
                    BaseException.with_traceback(failures[place], original.__traceback__)
        return values, failures

    def _decode_and_run(self, *encoded: msgspec.Raw) -> Any:
        """Run a call by itself, so that one with wrong arguments fails alone."""
        try:
            arguments = self._call.decode(ENCODER.encode(encoded))
        except (Exception, SystemExit) as error:
            text = _as_text(error)
            for place, name in enumerate(self.function.parameter_names):
                text = text.replace(f"`$[{place}]", f"`{name}")
            raise TypeError(f"arguments of {self.function.name}: {text}") from None
        return self.function.run(*arguments)

    def encode_reply(
        self, busy_ns: int, values: list[Any], failures: dict[int, BaseException] | None
    ) -> bytes:
        """Encode outcomes; a value without an encoding fails its call."""
        return b"".join(self.reply_parts(busy_ns, values, failures))

    def reply_parts(
        self, busy_ns: int, values: list[Any], failures: dict[int, BaseException] | None
    ) -> Message:
        """The same in parts."""
        if self.results_hold_views:
            values = formatted(values)
        if failures is None:
            try:
                reply = self._encode((busy_ns, values, None))
                if self._result_check is None or self._result_check.fits(values):
                    return reply
            except Exception:  # some value has no encoding
                pass
            failures = {}
        told = {place: describe_failure(error) for place, error in failures.items()}
        encoded = [NIL] * len(values)
        for place, value in enumerate(values):
            if place not in told:
                try:
                    encoded[place] = msgspec.Raw(self._encode_result(value))
                except Exception as error:
                    told[place] = describe_failure(error)
        return [ENCODER.encode((busy_ns, encoded, told))]

    def _encode_result(self, value: Any) -> bytes:
        """Encode a single result; raises TypeError if it cannot arrive as it is."""
        name = f"the result of {self.function.name}"
        try:
            encoded = ENCODER.encode(value)
        except Exception as error:
            raise TypeError(f"{name} has no encoding: {error}") from error
        problem = self._result_check and self._result_check.explain(value, name)
        if problem:
            raise TypeError(problem)
        return encoded

    def read_reply(self, data: bytes, calls: int) -> Reply | None:
        """Decode what a worker sent; None if it is not a reply to so many calls."""
        try:
            reply = self.decode_reply(data)
        except msgspec.DecodeError:
            return None
        except Exception as error:  # a valid reply that this process cannot take: no memory
            return failed_reply(calls, error)
        fits = len(reply.values) == calls and max(reply.failures or (0,)) < calls
        return reply if fits else None

    def decode_reply(self, data: bytes | memoryview) -> Reply:
        """Raises msgspec.DecodeError if the bytes are not a reply."""
        try:
            busy_ns, values, _ = self._values.decode(data)
        except (Exception, SystemExit):  # some call failed, or its result is not as annotated
            return self._decode_each(data)
        return Reply(busy_ns, values, None)

    def _decode_each(self, data: bytes | memoryview) -> Reply:
        """Decode each value by itself, so that a wrong one fails alone."""
        busy_ns, encoded, told = _OUTCOMES.decode(data)
        name = self.function.name
        failures = {
            place: rebuild_failure(failure, name) for place, failure in (told or {}).items()
        }
        values: list[Any] = [None] * len(encoded)
        for place, raw in enumerate(encoded):
            if place not in failures:
                try:
                    values[place] = self._value.decode(raw)
                except (Exception, SystemExit) as error:  # as in run_request
                    failures[place] = TypeError(f"result of {name}: {_as_text(error)}")
        return Reply(busy_ns, values, failures or None)


def _takes_none(kind: Any) -> bool:
    try:
        msgspec.convert(None, kind)
    except msgspec.ValidationError:
        return False
    return True


def calls_as_encoded(request: bytes | memoryview) -> Columns:
    """The calls of a request, each argument as it was encoded."""
    count, *columns = _ARRAY.decode(request)
    return Columns([_ARRAY.decode(column) for column in columns], _COUNT.decode(count))


def _as_text(error: BaseException) -> str:
    """The message of an error, with msgspec's names of types as they are called in Python."""
    said, at, path = (str(error) or repr(error)).partition(" - at ")
    if said.startswith("Expected `"):
        said = _MSGSPEC_NAME.sub(lambda found: _PYTHON_NAMES[found[0]], said)
    return said + at + path


def _encode_plain(value: Any) -> Message:
    return [ENCODER.encode(value)]


def encode_failure_of_all(calls: int, error: BaseException) -> bytes:
    """The reply of a batch whose calls could not be run or answered."""
    return ENCODER.encode((0, [None] * calls, dict.fromkeys(range(calls), describe_failure(error))))


def failed_reply(calls: int, error: BaseException) -> Reply:
    """A reply that fails all calls with one error."""
    return Reply(0, *all_failed(calls, error))
