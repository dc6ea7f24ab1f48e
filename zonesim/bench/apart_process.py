"""The process of ``apart``: does what the first line that it reads says.

Imports next to nothing: whatever is started from such a process imports this once more.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from contextlib import suppress

ANY_SIZE = 1 << 16


def main() -> None:
    """Write what the function yields, a line each; SIGTERM is taken for Ctrl-C until then."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    module, name, *arguments = json.loads(_first_line())
    threading.Thread(target=_end_with_starter, daemon=True).start()
    # What is started from here must not hold the pipe: its end says that all has been said.
    results = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with suppress(KeyboardInterrupt):
        for result in getattr(importlib.import_module(module), name)(*arguments):
            os.write(results, _line_of(result))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever hears of the end may send it
    os.close(results)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and (data := os.read(sys.stdin.fileno(), ANY_SIZE)):
        line += data
    return line


def _line_of(result: object) -> bytes:
    import msgspec

    return msgspec.json.encode(result) + b"\n"


def _end_with_starter() -> None:
    while os.read(sys.stdin.fileno(), ANY_SIZE):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
