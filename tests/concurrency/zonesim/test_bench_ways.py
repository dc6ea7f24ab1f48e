"""Every way to run the benchmark's tick gives the same results, and ends with its owner."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path as FilePath
from subprocess import Popen

import pytest
from waiting import is_alive, wait_until

import corororo as cr
from corororo._platform import PORTABLE_VARIABLE
from zonesim.bench.ladder import rungs
from zonesim.bench.ladder.rungs import Batched, Rung
from zonesim.bench.peers.by_hand import Pipes, drive_by_send, open_executor, open_ticks_by_hand
from zonesim.bench.peers.instructions import open_instructions
from zonesim.bench.peers.prototype import Prototype
from zonesim.bench.program import (
    CALLS,
    CHAINS,
    Call,
    Path,
    find_number,
    find_path,
    first,
    path_of_call,
    plain_echo,
    plain_path,
)
from zonesim.bench.suite import Setting

pytestmark = pytest.mark.timeout(60)

RUNGS = [kind for kind in vars(rungs).values() if isinstance(kind, type) and kind is not Rung]


@pytest.mark.parametrize("kind", RUNGS)
def test_a_rung_answers_every_chain_in_order_in_its_number_of_messages(kind: type[Rung]) -> None:
    async def run_all() -> list[object]:
        return await cr.gather(
            *(first(find_path, entity) for entity in range(CHAINS)),
            *(first(find_number, entity) for entity in range(CHAINS)),
        )

    with kind(2) as rung, cr.Scheduler(rung) as scheduler:
        for _ in range(2):
            paths = [plain_path(*call) for call in CALLS]
            assert scheduler.run(run_all()) == [*paths, *range(CHAINS)]
        full, rest = divmod(CHAINS, 64)  # the rest is split between both workers
        messages = full + min(2, rest) if kind is Batched else CHAINS
        assert rung.batches_sent == 4 * messages
        assert rung.in_flight == 0


def test_the_ticks_by_hand_make_every_call_and_take_every_path() -> None:
    with open_ticks_by_hand(2) as ticks:
        assert len(ticks) == 3
        for tick in ticks.values():
            tick()
            tick()


def test_pipes_give_results_in_the_order_of_the_calls_in_chunks_of_any_size() -> None:
    with closing(Pipes(2, plain_echo, int, int)) as pipes:
        for chunk in (1, 7, 64, 1_000):
            assert pipes.map(list(range(500)), chunk) == list(range(500))
        assert pipes.send(list(range(300))) == list(range(300))


def test_a_driver_by_send_hands_out_all_calls_at_once() -> None:
    sent: list[list[Call]] = []

    def send(calls: list[Call]) -> list[Path]:
        sent.append(calls)
        return [path_of_call(call) for call in calls]

    drive_by_send(send)
    assert sent == [CALLS]


def test_the_prototype_ends_the_ticks_of_all_its_zones() -> None:
    with closing(Prototype(2, zones=5)) as prototype:
        for _ in range(3):
            prototype.tick()


def test_instructions_of_a_tick_are_the_difference_of_two_runs(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "valgrind"  # counts a million before the first tick, and two in each
    counter.write_text(
        f"#!{sys.executable}\n"
        "import json, subprocess, sys\n"
        "options = [word for word in sys.argv[1:] if word.startswith('--')]\n"
        "command = sys.argv[1 + len(options):]\n"
        "subprocess.run(command, check=True)\n"
        "ticks = json.loads(command[3])[3]\n"
        "with open(options[-1].partition('=')[2], 'w') as file:\n"
        "    print('totals:', 1_000_000 + 2_000_000 * ticks, file=file)\n"
    )
    counter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with open_instructions(Setting(1, quick=False)) as ways:
        assert {way: count() for way, count in ways.items()} == {"ours": 2.0, "prototype": 2.0}


def test_an_executor_has_started_all_its_workers() -> None:
    with open_executor(2) as executor:
        assert list(executor.map(plain_echo, range(5))) == list(range(5))


def test_no_worker_outlives_an_owner_that_is_killed(
    start_script: Callable[[str, str], Popen[str]],
    tmp_path: FilePath,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What a killed owner leaves stays below the folder of the test.
    monkeypatch.setenv(PORTABLE_VARIABLE, "1")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    program = start_script(
        "owner.py",
        f"""
        import multiprocessing
        import time
        from contextlib import ExitStack, closing

        from zonesim.bench.ladder import rungs
        from zonesim.bench.peers.by_hand import open_ticks_by_hand
        from zonesim.bench.peers.prototype import Prototype

        if __name__ == "__main__":
            with ExitStack() as opened:
                for name in {[kind.__name__ for kind in RUNGS]}:
                    opened.enter_context(getattr(rungs, name)(1))
                opened.enter_context(open_ticks_by_hand(1))
                opened.enter_context(closing(Prototype(1)))
                children = multiprocessing.active_children()
                print(*[child.pid for child in children], flush=True)
                time.sleep(60)
        """,
    )
    assert program.stdout is not None
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == len(RUNGS) + 3
    program.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "the workers have ended", 10)
