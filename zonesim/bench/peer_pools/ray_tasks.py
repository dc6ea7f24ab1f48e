"""Tasks of Ray, on a cluster of this machine alone; used where Ray is installed.

Its servers are busy while nobody asks for anything, so it is measured without the other peers.
"""

from __future__ import annotations

import importlib
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from zonesim.bench.plain_work import run_batch

from .peer import Function, Kind, Outcomes, Peer


class RayPeer(Peer):
    """Remote functions; a task that loses its worker is run again by Ray, three times at most."""

    def __init__(self, ray: Any) -> None:  # noqa: ANN401 - a module that need not be installed
        self._ray = ray
        self._remote: dict[Function, Any] = {}
        self._remote_batch = ray.remote(run_batch)

    async def call(self, function: Function, argument: int) -> object:
        """One remote call."""
        result: object = self._ray.get(self._function(function).remote(argument))
        return result

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """A remote call for each."""
        remote = self._function(function)
        results: Sequence[object] = self._ray.get([remote.remote(one) for one in arguments])
        return results

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """A remote call for each chunk, of a function that makes many."""
        begins = range(0, len(arguments), chunk)
        parts = self._ray.get(
            [
                self._remote_batch.remote(function, arguments[begin : begin + chunk])
                for begin in begins
            ]
        )
        return [result for part in parts for result in part]

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Each call comes back or fails for itself."""
        found, end_s = Outcomes(len(arguments)), monotonic() + timeout_s
        remote = self._function(function)
        places = {remote.remote(argument): place for place, argument in enumerate(arguments)}
        waiting = list(places)
        while waiting:
            ready, waiting = self._ray.wait(waiting, timeout=max(0.0, end_s - monotonic()))
            if not ready:
                break
            found.note(places[ready[0]], self._error_of(ready[0]))
        return found

    def _function(self, function: Function) -> Any:  # noqa: ANN401 - a class of Ray's
        if function not in self._remote:
            self._remote[function] = self._ray.remote(function)
        return self._remote[function]

    def _error_of(self, reference: object) -> BaseException | None:
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return error if isinstance(error, BaseException) else None
        return None


@contextmanager
def open_ray(workers: int) -> Iterator[Peer]:
    """A cluster of its own, which tells nobody that it is used."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = importlib.import_module("ray")
    heeds_sigterm = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryDirectory() as folder:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=folder,
        )
        signal.signal(signal.SIGTERM, heeds_sigterm)  # which Ray has taken for itself
        try:
            yield RayPeer(ray)
        finally:
            ray.shutdown()
            signal.signal(signal.SIGTERM, heeds_sigterm)


RAY = Kind(
    "Ray",
    open_ray,
    one="ray.get of one remote call",
    each="Ray remote",
    batched="Ray remote, batches of {chunk}",
    library="ray",
    package="ray",
    calls_alone=5,
    apart=True,
)
