"""``@async_task``: which functions may run in workers, and what their calls are."""

from __future__ import annotations

import ast
import functools
import inspect
import math
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from types import EllipsisType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from corororo._core import UnorderedMap, awaited_twice, explained, map_calls, run_nested
from corororo._inline import paired
from corororo._main_module import check_resolvable, name_in_program, note_function

from ._annotations import check_annotations
from ._codec import Codec

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_RETRIES = 3
MAX_VARIANTS = 1_024  # functions with other options that are kept


class AsyncTaskFunction(Generic[P, R]):
    """What ``@async_task`` makes of a function: a coroutine function that runs it in a worker.

    A call is a coroutine: it is sent when it is awaited, and can be awaited once. The attributes
    and methods below are attributes of the coroutine function. ``name`` is ``module:qualified
    name``, by which workers find it. ``timeout`` is how many seconds a call may run in a worker,
    None for as long as it takes. ``retries`` is how many more workers a call may kill before it
    fails with WorkerDied. ``run`` takes the complete arguments of a call by position, and runs it
    here.
    """

    def __init__(self, function: Callable[P, Any], timeout: float | None, retries: int) -> None:
        self.timeout = timeout
        self.retries = retries
        self.name = f"{name_in_program(function.__module__)}:{function.__qualname__}"
        self.original = function
        self._codec: Codec | None = None  # made when it is first needed
        self._is_async = inspect.iscoroutinefunction(function)
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self.parameter_names = [p.name for p in parameters]
        self._positional = sum(p.kind is not p.KEYWORD_ONLY for p in parameters)
        # With so many arguments by position nothing has to be bound; -1: never.
        self._complete_at = len(parameters) if self._positional == len(parameters) else -1
        self.run = self._runner()
        # Not an object with __call__, which costs 45 ns a call more.
        self.coroutine_function: Any = _coroutine_function(function, self._signature)
        attributes = {name: getattr(self, name) for name in dir(self) if name[0] != "_"}
        vars(self.coroutine_function).update(attributes)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """The call as a coroutine."""
        call: Coroutine[Any, Any, R] = self.coroutine_function(*args, **kwargs)
        return call

    def map(self, *iterables: Iterable[Any]) -> Awaitable[list[R]]:
        """All results of calls with the items of ``iterables``, paired as by the builtin ``map``.

        The Task is resumed once, when the last call is back. The first failure in the order of
        the calls is raised.
        """
        if len(iterables) != self._complete_at:
            return self.starmap(zip(*iterables, strict=False))
        return self._map(paired(iterables))

    def starmap(self, arguments: Iterable[tuple[Any, ...]]) -> Awaitable[list[R]]:
        """All results of ``function(*a)`` for each ``a`` of ``arguments``, in order."""
        return self._map([self._complete(tuple(given)) for given in arguments])

    def map_unordered(self, *iterables: Iterable[Any]) -> AsyncIterator[R]:
        """As ``map``, but an async iterator that yields each result as soon as it is back.

        A failed call raises when its turn comes, and the iteration can continue after it. The
        iterables are read at most ``max_pending`` calls ahead, so they may be endless.
        """
        return UnorderedMap(
            self.coroutine_function, map(self._complete, zip(*iterables, strict=False))
        )

    def with_options(
        self, *, timeout: float | EllipsisType | None = ..., retries: int | EllipsisType = ...
    ) -> AsyncTaskFunction[P, R]:
        """The same function with other options: ``await find_path.with_options(timeout=1)(a, b)``.

        Options that are not given stay as declared.
        """
        variant: AsyncTaskFunction[P, R] = _variant(
            self.original,
            self.timeout if isinstance(timeout, EllipsisType) else timeout,
            self.retries if isinstance(retries, EllipsisType) else retries,
        )
        return variant

    def call_inline(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function in this process; AsyncTasks that it awaits run here as well."""
        given = args if not kwargs and len(args) == self._complete_at else self._bind(args, kwargs)
        return cast("R", self.run(*given))

    def _map(self, arguments: Sequence[tuple[Any, ...]]) -> Awaitable[list[R]]:
        calls: Any = map_calls(self.coroutine_function, arguments)
        calls.__qualname__ = f"{self.original.__qualname__}.map"  # where it is never awaited
        return cast("Awaitable[list[R]]", calls)

    def _runner(self) -> Callable[..., Any]:
        if self._complete_at < 0:
            return self._run_with_keywords
        return self._run_coroutine if self._is_async else self.original

    def codec(self) -> Codec:
        """The codec of its batches.

        Raises TypeError if its annotations cannot be used, or if workers would find another
        function under its name.
        """
        if self._codec is None:
            check_resolvable(self.name, self.original)
            try:
                self._codec = Codec(self)
            except Exception as error:  # typing and msgspec raise anything
                message = f"the annotations of {self.name} cannot be used: {error}"
                if isinstance(error, NameError):
                    message += "; calls need it too: import it outside of `if TYPE_CHECKING:`"
                raise TypeError(message) from error
        return self._codec

    def argument_types(self) -> Any:
        """The type of a call's complete arguments, as msgspec decodes them: a tuple."""
        hints = self._hints()
        kinds = [hints.get(name, Any) for name in self.parameter_names]
        return tuple[tuple(kinds)] if kinds else tuple[()]  # type: ignore[misc]

    def result_type(self) -> Any:
        """The type of a result; Any if it is not annotated."""
        return self._hints().get("return", Any)

    def _hints(self) -> dict[str, Any]:
        hints = typing.get_type_hints(self.original, include_extras=True)
        return {name: type(None) if hint is None else hint for name, hint in hints.items()}

    def _complete(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return given if len(given) == self._complete_at else self._bind(given, {})

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}{self._signature}: {error}") from None
        bound.apply_defaults()
        return tuple(bound.arguments[name] for name in self.parameter_names)

    def _run_with_keywords(self, *args: Any) -> Any:
        split = self._positional
        keywords = dict(zip(self.parameter_names[split:], args[split:], strict=True))
        result = self.original(*args[:split], **keywords)
        return run_nested(result) if self._is_async else result

    def _run_coroutine(self, *args: Any) -> Any:
        return run_nested(self.original(*args))  # type: ignore[call-arg]


_SOURCE = """
def call{parameters}:
    try:
        reply = yield (_function, {arguments})
    except (RuntimeError, TypeError) as error:
        raise _explained(error, (_function,))
    if reply is None:
        _awaited_twice()
    return None if reply is ... else reply
"""


def _coroutine_function(function: Callable[..., Any], signature: inspect.Signature) -> Any:
    """A coroutine function with the signature of ``function``, whose calls are AsyncTasks.

    Generated, so that Python itself binds the arguments, warns of a call that is never awaited,
    and refuses one that is awaited again. The code is a generator's under a coroutine's flag, as
    ``types.coroutine`` changes flags: to await a generator took 7 % of the instructions of a tick.
    """
    plain = [
        p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else None)
        for p in signature.parameters.values()
    ]
    parameters = signature.replace(parameters=plain, return_annotation=signature.empty)
    arguments = "".join(f"{p.name}, " for p in plain)
    tree = ast.parse(_SOURCE.format(parameters=parameters, arguments=arguments))
    code = function.__code__
    for node in ast.walk(tree):  # tracebacks show the line of the function
        if "lineno" in node._attributes:
            vars(node).update(lineno=code.co_firstlineno, end_lineno=code.co_firstlineno)
    namespace: dict[str, Any] = {
        "__name__": function.__module__,
        "_explained": explained,
        "_awaited_twice": awaited_twice,
    }
    exec(compile(tree, code.co_filename, "exec"), namespace)
    generated = namespace["call"].__code__
    flags = generated.co_flags & ~inspect.CO_GENERATOR | inspect.CO_COROUTINE
    generated = generated.replace(
        co_flags=flags, co_name=code.co_name, co_qualname=code.co_qualname
    )
    call = namespace["_function"] = types.FunctionType(generated, namespace)
    call.__defaults__ = function.__defaults__
    call.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(call, function)


@overload
def async_task(function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTaskFunction[P, R]: ...
@overload
def async_task(function: Callable[P, R], /) -> AsyncTaskFunction[P, R]: ...
@overload
def async_task(*, timeout: float | None = None, retries: int = DEFAULT_RETRIES) -> _Decorator: ...


def async_task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    timeout: float | None = None,
    retries: int = DEFAULT_RETRIES,
) -> Any:
    """Make the calls of a module-level function AsyncTasks.

    Arguments and results are of types that msgspec can encode or that are registered, and are
    decoded against the annotations. An ``async def`` function may await other AsyncTasks: they run
    in its worker.

    ``timeout`` is in seconds of running in a worker: a call that takes longer fails with
    AsyncTaskTimeout, and its worker is replaced. It does not hold where calls run inline.
    ``retries`` is how many more workers one call may kill before it fails with WorkerDied.

    Raises TypeError for what a worker could not find by its name (lambdas, methods, functions
    inside functions) and for annotations that nothing can carry, and ValueError for options out of
    range.
    """
    decorator = _Decorator(timeout, retries)
    return decorator if function is None else decorator(function)


class _Decorator:
    """``@async_task(...)`` with its options."""

    def __init__(self, timeout: float | None, retries: int) -> None:
        _check_options(timeout, retries)
        self._timeout = timeout
        self._retries = retries

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> AsyncTaskFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> AsyncTaskFunction[P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> AsyncTaskFunction[..., Any]:
        _check_function(function)
        note_function(function)
        declared: AsyncTaskFunction[..., Any] = _declare(function, self._timeout, self._retries)
        return declared


@functools.lru_cache(MAX_VARIANTS)
def _variant(function: Callable[..., Any], timeout: float | None, retries: int) -> Any:
    _check_options(timeout, retries)
    return _declare(function, timeout, retries)


def _declare(function: Callable[..., Any], timeout: float | None, retries: int) -> Any:
    return AsyncTaskFunction(function, timeout, retries).coroutine_function


def _check_options(timeout: float | None, retries: int) -> None:
    if not isinstance(timeout, int | float | None):
        raise TypeError(f"timeout must be a number of seconds or None, got {timeout!r}")
    if timeout is not None and not 0 < timeout < math.inf:
        raise ValueError(f"timeout must be a positive number of seconds or None, got {timeout}")
    if not isinstance(retries, int):
        raise TypeError(f"retries must be an int, got {retries!r}")
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, got {retries}")


def _check_function(function: Any) -> None:
    if not isinstance(function, types.FunctionType):
        raise TypeError(
            f"@async_task decorates functions, got {type(function).__name__}; decorate a function "
            f"that calls it"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"@async_task needs a function that returns its result, got the generator "
            f"{function.__qualname__}; return a list instead"
        )
    if "." in function.__qualname__ or function.__name__ == "<lambda>":
        raise TypeError(
            f"@async_task needs a function at module level, which a worker can find by its name, "
            f"got {function.__qualname__} of {function.__module__}; move it there, and pass it "
            f"what it used to take from its surroundings"
        )
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"@async_task needs named parameters, got {parameter} in "
                f"{function.__qualname__}; take a list or a dict instead"
            )
    check_annotations(function)
