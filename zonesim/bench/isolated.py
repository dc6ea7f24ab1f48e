"""Runs a function in a new Python process, whose memory and processes are its own."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from .suite import BenchError

END_S = 10.0  # for the process to end by itself after an interrupt


def run_isolated(
    function: Callable[..., dict[str, float]],
    timeout_s: float,
    *arguments: object,
    under: Sequence[str] = (),
) -> dict[str, float]:
    """What the function returns there.

    Arguments and result travel as JSON. ``under`` is a command that runs the process, a profiler
    for example. Raises BenchError if the function fails or takes too long.
    """
    with tempfile.TemporaryDirectory() as place:
        file, errors = Path(place, "result"), Path(place, "errors")
        order = [function.__module__, function.__name__, *arguments]
        command = [*under, sys.executable, "-m", __name__, msgspec.json.encode(order).decode()]
        process, lifeline = _start([*command, str(file)], errors)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{function.__name__}: not done within {timeout_s:.0f} s") from None
        finally:
            os.close(lifeline)
            _end(process)
        if code != 0 or not file.exists():  # a profiler may end well all the same
            raise BenchError(f"{function.__name__}: {_last_line(errors)}")
        found: dict[str, float] = msgspec.json.decode(file.read_bytes())
        return found


def _start(command: list[str], errors: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the pipe end whose closing ends it."""
    reader, lifeline = os.pipe()
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        )
    os.close(reader)
    return process, lifeline


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(errors: Path) -> str:
    lines = errors.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "ended without a message"


# -- in the process


def main(order: str, file: str) -> None:
    """Run the function of an order, and write its result."""
    threading.Thread(target=_end_with_starter, daemon=True).start()
    module, name, *arguments = msgspec.json.decode(order)
    result = getattr(importlib.import_module(module), name)(*arguments)
    Path(file).write_bytes(msgspec.json.encode(result))


def _end_with_starter() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main(*sys.argv[1:])
