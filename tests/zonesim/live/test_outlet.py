from __future__ import annotations

import contextlib
import io
import os
import threading

import pytest

from zonesim.live.outlet import Outlet


@pytest.fixture
def pipe():
    """The reading end of a pipe, and its writing end as a stream."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="ascii") as stream:
        yield reader, stream
    os.close(reader)


def read(reader: int, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        parts += os.read(reader, count - len(parts))
    return parts


def test_text_goes_past_the_buffer_of_the_stream(pipe):
    reader, stream = pipe

    with Outlet(stream) as outlet:
        outlet.put("frame\n")

        assert os.read(reader, 100) == b"frame\n"
    assert not stream.closed


def test_what_the_stream_cannot_encode_is_written_all_the_same(pipe):
    reader, stream = pipe

    with Outlet(stream) as outlet:
        outlet.put("━")

    assert os.read(reader, 100) == b"\\u2501"


def test_a_pipe_that_was_made_not_to_wait_is_waited_for(pipe):
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    text = "x" * (1 << 20)  # far more than there is room for

    with Outlet(stream) as outlet:
        writing = threading.Thread(target=outlet.put, args=(text,))
        writing.start()
        found = read(reader, len(text))
        writing.join()

    assert found == text.encode()


def test_a_pipe_that_nobody_will_read_any_more_is_an_error():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream, Outlet(stream) as outlet, pytest.raises(BrokenPipeError):
        outlet.put("frame\n")


def test_a_file_that_is_gone_is_an_error():
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w")  # noqa: SIM115 - closed below, with nothing left to close
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"), Outlet(stream):
        pass
    with contextlib.suppress(OSError):
        stream.close()


def test_text_in_memory_has_no_file():
    stream = io.StringIO()

    with Outlet(stream) as outlet:
        outlet.put("frame\n")

    assert stream.getvalue() == "frame\n"
