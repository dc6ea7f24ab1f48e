"""Values of all kinds through a codec: what arrives as it was, what changes, what is refused."""

from __future__ import annotations

from typing import Any

import corororo as cr


def trip(value: Any, kind: Any) -> Any:
    def probe(value):
        return value

    probe.__annotations__ = {"value": kind, "return": kind}
    probe.__qualname__ = "probe"
    globals()["probe"] = function = cr.async_task(probe)
    with cr.Scheduler() as scheduler:
        return scheduler.run(function(value))
