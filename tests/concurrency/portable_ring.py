"""A program whose Scheduler makes a ring in a folder and fills it with calls; says how it went.

    portable_ring.py FOLDER RING_BYTES [limited BYTES | promised | filled]

``limited``: no file may be longer. ``promised``: the file system says that it has room, and has
not. ``filled``: somebody takes all the room that is left once the ring is made.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path

import worker_calls as calls
from portable_calls import say

import corororo as cr


def promise_room() -> None:
    asked = os.fstatvfs
    room = [1 << 30] * 3  # blocks: all of them, those that are free, and those that are ours
    os.fstatvfs = lambda fd: os.statvfs_result([*asked(fd)[:2], *room, *asked(fd)[5:]])


def fill(place: Path) -> None:
    with contextlib.suppress(OSError), open(place / "filler", "wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    assert os.statvfs(place).f_bavail == 0


def main(place: Path, ring_bytes: int, how: str = "", limit: str = "0") -> None:
    with cr.WorkerPool(1, ring_bytes=ring_bytes, directory=place) as pool:
        if how == "limited":
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        if how == "promised":
            promise_room()
        try:
            scheduler = cr.Scheduler(pool)
        except cr.SessionError as error:
            left = [path.name for path in Path(pool.address).glob("*.ring")]
            say({"refused": str(error), "left": left})
            return
        if how == "filled":
            fill(place)
        with scheduler:
            said = scheduler.run(calls.length_of.map([bytes(1000)] * 1000))
        say({"length": sum(said)})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
