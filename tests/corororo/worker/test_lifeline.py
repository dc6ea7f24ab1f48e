"""What ties a process to the owner of its session, as far as it can be seen from inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from corororo._exceptions import PoolClosed
from corororo._ring import Session
from corororo._worker import _lifeline
from corororo._worker._lifeline import die_with_owner


@pytest.mark.parametrize("kernel_ends_us", [True, False])
def test_who_comes_after_the_owner_has_removed_everything_hears_that_the_pool_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel_ends_us: bool
) -> None:
    monkeypatch.setattr(_lifeline, "HAS_SIGIO", kernel_ends_us and _lifeline.HAS_SIGIO)
    owner = Session.create(base=tmp_path)
    guest = Session.attach(str(owner.directory))
    owner.remove()
    with pytest.raises(PoolClosed, match="owner of this pool is gone"):
        die_with_owner(guest)


@pytest.mark.skipif(not _lifeline.HAS_SIGIO, reason="here a thread sees it, and ends its process")
def test_who_comes_while_the_owner_closes_the_pool_does_not_wait_for_an_end_that_was_told_before(
    tmp_path: Path,
) -> None:
    owner = Session.create(base=tmp_path)  # which lives, and holds its lifeline no more
    with pytest.raises(PoolClosed, match="closing this pool"):
        die_with_owner(Session.attach(str(owner.directory)))
    owner.remove()
