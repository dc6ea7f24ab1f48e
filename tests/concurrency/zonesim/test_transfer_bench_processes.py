"""The measurement of the transfer as a program: however it ends, none of its processes stays."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import pytest
from zonesim_runs import Command

import corororo as cr

pytestmark = pytest.mark.timeout(100)

NAME = "python -m zonesim.bench.transfer"


@pytest.fixture
def start_bench(start) -> Callable[..., Command]:
    return partial(start, module="zonesim.bench.transfer")


def start_and_wait(start_bench: Callable[..., Command], rows: str, processes: int) -> Command:
    """A run without an end that has started so many processes beside itself."""
    bench = start_bench("--rows", rows, "--rounds", "100000")
    bench.wait_until(lambda: len(bench.processes()) > processes, f"{processes} processes")
    return bench


def test_a_quick_run_ends_by_itself_and_says_nothing_else(start_bench) -> None:
    ended = start_bench("--quick", "--rows", "alone", "--rounds", "2").finish()
    assert ended.code == 0
    assert ended.error == ""
    assert len(ended.output.splitlines()) == 4 + 3


def test_json_is_all_that_stands_on_standard_output(start_bench) -> None:
    ended = start_bench("--json", "--rows", "added", "--rounds", "2").finish()
    assert [row["group"] for row in ended.document["rows"]] == ["added"]
    assert ended.document["conditions"]["rounds"] == {"added": 2}


def test_a_wrong_option_is_one_line(start_bench) -> None:
    ended = start_bench("--rows", "everything").finish()
    assert ended.code == 2
    assert ended.output == ""
    (complaint,) = ended.error.splitlines()
    assert complaint.startswith(f"{NAME}: argument --rows: expected some of b2b,")


@pytest.mark.parametrize("rows", ["paced", "submit", "alone", "map", "zones"])
def test_ctrl_c_is_one_line_and_the_end_of_every_process(start_bench, rows: str) -> None:
    bench = start_and_wait(start_bench, rows, 4)  # with the servers that the others come from
    bench.signal_all(signal.SIGINT)
    ended = bench.finish()
    assert ended.code == 130
    assert ended.error == f"{NAME}: interrupted\n"


def test_sigterm_is_taken_as_ctrl_c(start_bench) -> None:
    bench = start_and_wait(start_bench, "paced", 4)
    bench.signal(signal.SIGTERM)
    ended = bench.finish()
    assert (ended.code, ended.error) == (130, f"{NAME}: interrupted\n")


@pytest.mark.parametrize("rows", ["paced", "submit"])
def test_no_process_outlives_a_run_that_is_killed(start_bench, rows: str) -> None:
    bench = start_and_wait(start_bench, rows, 6)
    bench.signal(signal.SIGKILL)
    assert bench.finish().code == -signal.SIGKILL
    assert bench.wait_for_the_last_ones() == {}
    with cr.WorkerPool(workers=1):
        pass  # whoever starts next removes what a killed owner left
    assert bench.sessions() == []
