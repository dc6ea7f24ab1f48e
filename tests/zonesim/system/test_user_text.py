"""Errors of the library as users of the simulator read them."""

from __future__ import annotations

import pytest

import corororo as cr
from zonesim.system.errors import user_text


@pytest.mark.parametrize(
    ("message", "of_run", "elsewhere"),
    [
        (
            "no room; free some there, or ask for smaller rings: WorkerPool(ring_bytes=...)",
            "no room; free some there, or ask for smaller rings: --set ring_mb=...",
            "no room; free some there",
        ),
        ("no place; set one, or WorkerPool(directory=...)", *["no place; set one"] * 2),
        (
            "the socket is\nup to 103 bytes; set TMPDIR",
            *["the socket is up to 103 bytes; set TMPDIR"] * 2,
        ),
    ],
)
def test_a_remedy_is_one_that_the_user_has(message, of_run, elsewhere):
    error = cr.SessionError(message)
    assert (user_text(error, of_run=True), user_text(error)) == (of_run, elsewhere)
