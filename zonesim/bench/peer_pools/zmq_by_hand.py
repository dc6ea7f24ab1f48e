"""pyzmq and msgspec, made by hand: batches are pushed to workers in turn, replies are pulled."""

from __future__ import annotations

import importlib
import itertools
import tempfile
import typing
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from .children import end_with_parent
from .peer import Function, Kind, Outcomes, Peer, deaf_to_ctrl_c, server

READY = b""
START_MS = 30_000


class ZmqPool:
    """One function in some processes."""

    def __init__(self, workers: int, function: Function, folder: Path) -> None:
        zmq: Any = importlib.import_module("zmq")
        self._context = zmq.Context()
        self._requests = self._context.socket(zmq.PUSH)
        self._replies = self._context.socket(zmq.PULL)
        self._encode = msgspec.msgpack.Encoder().encode
        result = typing.get_type_hints(function)["return"]
        self._decode = msgspec.msgpack.Decoder(tuple[int, list[result]]).decode  # type: ignore[valid-type]
        self._addresses = [f"ipc://{folder / name}" for name in ("requests", "replies")]
        context = server()
        self._processes = [
            context.Process(target=serve, args=(function, *self._addresses), daemon=True)
            for _ in range(workers)
        ]

    def start(self) -> None:
        """Returns when all processes are connected: else the first would get everything."""
        self._requests.bind(self._addresses[0])
        self._replies.bind(self._addresses[1])
        for process in self._processes:
            process.start()
        for _ in self._processes:
            if not self._replies.poll(START_MS):
                raise TimeoutError(f"a worker has not started within {START_MS // 1_000} s")
            self._replies.recv()

    def map(self, batches: Sequence[Sequence[int]]) -> list[Any]:
        """All results, in order."""
        self.send(batches)
        found = dict(self._decode(self._replies.recv()) for _ in batches)
        return list(itertools.chain.from_iterable(found[place] for place in range(len(batches))))

    def send(self, batches: Sequence[Sequence[int]]) -> None:
        """Hand the batches out."""
        for place, batch in enumerate(batches):
            self._requests.send(self._encode((place, batch)))

    def replied(self, timeout_s: float) -> int | None:
        """The batch that is answered next; None when the time is up."""
        if not self._replies.poll(max(0, int(timeout_s * 1_000))):
            return None
        return int(self._decode(self._replies.recv())[0])

    def close(self) -> None:
        """End the processes, and forget what is under way."""
        for process in self._processes:
            if process.pid is not None:
                process.kill()
                process.join()
        self._context.destroy(linger=0)


class ZmqPeer(Peer):
    """A pool for each function, opened when it is first asked for."""

    def __init__(self, workers: int, stack: ExitStack) -> None:
        self._workers = workers
        self._stack = stack
        self._pools: dict[Function, ZmqPool] = {}

    async def call(self, function: Function, argument: int) -> object:
        """A batch of one."""
        return self._pool(function).map([[argument]])[0]

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """Batches of one."""
        return self._pool(function).map([[argument] for argument in arguments])

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """Chunks for the processes in turn."""
        begins = range(0, len(arguments), chunk)
        return self._pool(function).map([arguments[begin : begin + chunk] for begin in begins])

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Batches of one; what was with a dead process is never heard of again."""
        found = Outcomes(len(arguments))
        pool, end_s = self._pool(function), monotonic() + timeout_s
        pool.send([[argument] for argument in arguments])
        for _ in arguments:
            place = pool.replied(end_s - monotonic())
            if place is None:
                break
            found.note(place)
        return found

    def _pool(self, function: Function) -> ZmqPool:
        if function not in self._pools:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            pool = self._pools[function] = ZmqPool(self._workers, function, folder)
            self._stack.callback(pool.close)
            with deaf_to_ctrl_c():
                pool.start()
        return self._pools[function]


@contextmanager
def open_zmq(workers: int) -> Iterator[Peer]:
    """All of its pools end together."""
    with ExitStack() as stack:
        yield ZmqPeer(workers, stack)


ZMQ = Kind(
    "pyzmq by hand",
    open_zmq,
    one="pyzmq and msgspec by hand",
    each="pyzmq by hand, batches of 1",
    batched="pyzmq by hand, batches of {chunk}",
    library="zmq",
    package="pyzmq",
)


# -- in the child


def serve(function: Function, requests: str, replies: str) -> None:
    """Answer batches until the parent is gone."""
    end_with_parent()
    zmq: Any = importlib.import_module("zmq")
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(tuple[int, list[int]]).decode
    context = zmq.Context()
    pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    pull.connect(requests)
    push.connect(replies)
    push.send(READY)
    while True:
        place, batch = decode(pull.recv())
        push.send(encode((place, [function(argument) for argument in batch])))
