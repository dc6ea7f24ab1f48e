"""Says clearly that no more files can be opened. Knows nothing else."""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator

from corororo._exceptions import SessionError


@contextlib.contextmanager
def explaining_open_files(what: str) -> Iterator[None]:
    """Turn "too many open files" into a SessionError that names the limit and the remedy."""
    try:
        yield
    except OSError as error:
        if not is_out_of_files(error):
            raise
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise SessionError(
            f"{what}: this process may have {soft} files open, and needs more; raise the limit "
            f"on open files, up to {_shown(hard)}: `ulimit -n`, resource.setrlimit(RLIMIT_NOFILE)"
        ) from error


def is_out_of_files(error: OSError) -> bool:
    """Whether a limit on open files stood in the way, of the process or of the system."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def _shown(limit: int) -> str:
    return "any number" if limit == resource.RLIM_INFINITY else str(limit)
