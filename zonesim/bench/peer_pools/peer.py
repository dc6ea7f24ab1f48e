"""What every peer can be asked for, and what is told of it before it is opened.

Methods are async since one peer lives in trio's loop; those of the others never wait.
"""

from __future__ import annotations

import importlib.util
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from corororo.processes import forkserver
from zonesim.bench.core import drive

T = TypeVar("T")
Function: TypeAlias = Callable[[int], Any]

PRELOAD = (
    "zonesim.bench.peer_pools.deaf_server",
    "zonesim.bench.peer_pools.by_hand",
    "zonesim.bench.peer_pools.children",
    "zonesim.bench.peer_pools.zmq_by_hand",
)


def server() -> ForkServerContext:
    """The one that all of our processes come from, and those of peers that can be told to."""
    return forkserver(PRELOAD)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Start processes in here: none is left half started, and Ctrl-C is heard afterwards.

    Children and threads inherit a mask, and leave it to this thread for good. This one may be
    woken by a thread that somebody else has started, and so has another handler meanwhile.
    """
    heard: list[int] = []
    resource_tracker.ensure_running()  # whoever starts it leaves SIGINT unblocked behind
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    ends = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(end, lambda number, _: heard.append(number)) for end in ends]
    try:
        yield
    finally:
        for end, handler in zip(ends, handlers, strict=True):
            signal.signal(end, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if heard:
            raise KeyboardInterrupt


class Peer(Protocol):
    """Processes that make calls. Who opens it closes it: see ``Kind.open``."""

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await ``work``, which calls the methods below, where this peer lives."""
        return drive(_begin(work))

    async def call(self, function: Function, argument: int) -> object:
        """One call, there and back."""

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """Calls handed over one by one; the results in order."""

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """Calls handed over in chunks that the caller has chosen; the results in order."""

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Calls that may come to grief; returns when all have, or when the time is up."""


class Kind(NamedTuple):
    """A peer before it is opened. A way to make calls that it does not have has no name."""

    name: str
    opener: Callable[[int], AbstractContextManager[Peer]]  # with so many workers
    one: str  # how one call is made
    each: str = ""
    batched: str = ""  # with {chunk} where the size of a chunk belongs
    library: str = ""  # what has to be there, as it is imported
    package: str = ""  # the same, as it is installed
    fewest_workers: int = 1
    calls_alone: int = 50  # in a block; fewer of the slow ones
    apart: bool = False  # its processes are busy without work: it is measured without the others

    @property
    def is_there(self) -> bool:
        """Whether it is installed."""
        return not self.library or importlib.util.find_spec(self.library) is not None

    def serves(self, workers: int) -> bool:
        """Whether it can be opened with so many."""
        return self.is_there and workers >= self.fewest_workers

    @contextmanager
    def open(self, workers: int) -> Iterator[Peer]:
        """Start it; it is closed behind the block."""
        with ExitStack() as stack:
            with deaf_to_ctrl_c():
                peer = stack.enter_context(self.opener(workers))
            yield peer


class Outcome(NamedTuple):
    """What became of one call, and when."""

    what: Literal["came back", "failed", "never came back"]
    after_s: float
    error: str = ""  # the class of it


class Outcomes:
    """What became of calls made at the same time; may be told from any thread."""

    def __init__(self, count: int) -> None:
        self._began_s = monotonic()
        self._waiting = set(range(count))
        self._all_known = threading.Event()
        self.calls = [Outcome("never came back", 0.0)] * count

    def note(self, place: int, error: BaseException | None = None) -> None:
        """One call came back, or failed; whoever is told twice of it counts the first."""
        if place not in self._waiting:
            return
        after_s = monotonic() - self._began_s
        self.calls[place] = (
            Outcome("came back", after_s)
            if error is None
            else Outcome("failed", after_s, type(error).__name__)
        )
        self._waiting.discard(place)
        if not self._waiting:
            self._all_known.set()

    def note_rest(self, error: BaseException | None = None) -> None:
        """The same of all calls of which nothing is known yet."""
        for place in sorted(self._waiting):
            self.note(place, error)

    def wait(self, timeout_s: float) -> None:
        """Until every call is known of."""
        self._all_known.wait(timeout_s)


async def _begin(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
