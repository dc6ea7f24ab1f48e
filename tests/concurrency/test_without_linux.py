"""What the tests of portable paths take away is gone: without that, they would say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("portable")]

POLL = """
import os, select
def told(reader, mask):
    poll = select.poll()
    poll.register(reader, mask)
    return [events for _, events in poll.poll(50)]
os.mkfifo("fifo")
for name in ("fifo", None):
    if name:
        reader = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(name, os.O_WRONLY | os.O_NONBLOCK)
    else:
        reader, writer = os.pipe()
    os.write(writer, b"x")
    before = told(reader, select.POLLIN)
    os.read(reader, 1)
    os.close(writer)
    assert os.read(reader, 1) == b""
    print(before == [select.POLLIN], told(reader, 0) == [select.POLLHUP])
"""


def run(code: str, import_path: list[Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    "use",
    [
        "open('/proc/self/stat')",
        "os.listdir('/proc')",
        "Path('/dev/shm/corororo-1').mkdir()",
        "fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())",
        "socket.socket(socket.AF_UNIX).bind('/tmp/' + 99 * 'x')",
    ],
)
def test_what_macos_does_not_have_is_refused_and_noted(
    import_path: list[Path], refusals: Path, tmp_path: Path, use: str
) -> None:
    imports = "import fcntl, os, socket; from pathlib import Path"
    done = run(f"{imports}; {use}", import_path, tmp_path)
    assert "RuntimeError: macOS does not have this" in done.stderr
    assert len(refusals.read_text().splitlines()) == 1
    refusals.unlink()


@pytest.mark.parametrize("name", ["posix_fallocate", "sched_getaffinity", "memfd_create"])
def test_what_macos_does_not_name_has_no_name(
    import_path: list[Path], tmp_path: Path, name: str
) -> None:
    assert "AttributeError" in run(f"import os; os.{name}", import_path, tmp_path).stderr


def test_a_poll_tells_of_the_end_of_a_pipe_and_not_of_that_of_a_fifo(
    import_path: list[Path], tmp_path: Path
) -> None:
    assert run(POLL, import_path, tmp_path).stdout == "True False\nTrue True\n"
