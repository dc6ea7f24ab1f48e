"""Workers have the surroundings that their owner had when the pool started."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import kill, pids, wait_until_whole

import corororo as cr

pytestmark = pytest.mark.timeout(60)


def move_to(place: Path, patch: pytest.MonkeyPatch) -> None:
    place.mkdir()
    patch.chdir(place)
    patch.setenv("CORORORO_TEST_PLACE", str(place))
    patch.syspath_prepend(place)
    patch.setattr("sys.argv", [str(place)])
    warnings.simplefilter("ignore", calls.OwnWarning)


def test_each_pool_has_those_of_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (tmp_path / "first", tmp_path / "second"):
        with monkeypatch.context() as patch, warnings.catch_warnings():
            move_to(place, patch)
            here = calls.surroundings.call_inline()
            with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
                assert scheduler.run(calls.surroundings()) == here


def test_a_replacement_has_those_of_the_worker_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler, warnings.catch_warnings():
        before, workers = scheduler.run(calls.surroundings()), pids(pool)
        move_to(tmp_path / "later", monkeypatch)
        kill(*workers)
        wait_until_whole(pool, workers)
        assert scheduler.run(calls.surroundings()) == before


def test_entries_of_the_import_path_that_imports_ignore_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [tmp_path, *sys.path])
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        assert scheduler.run(calls.double(2)) == 4
