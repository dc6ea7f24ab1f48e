"""Every command and snippet of the README is run here, or by what the test names."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from corororo._platform import PORTABLE_VARIABLE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.split("\n")]
    return [line for line in lines if line]


SET_UP, TESTS, *HOW_TO = commands()


def run_in(
    folder: Path, command: list[str], timeout_s: float, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


BENCHES = [command for command in HOW_TO if command.startswith("zonesim bench")]


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("command", BENCHES)
def test_a_bench_command_ends_well(command: str, tmp_path: Path) -> None:
    _, *arguments = shlex.split(command)
    done = run_in(tmp_path, [sys.executable, "-m", "zonesim", *arguments], 180)
    assert done.returncode == 0, done.stderr
    assert "written:" in done.stdout


@pytest.mark.parametrize("command", [c for c in HOW_TO if c not in ("zonesim scale", *BENCHES)])
def test_a_how_to_command_ends_well(command: str, tmp_path: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program == "zonesim"
    # Of all runs on the machine `zonesim top` would find those of other tests: it looks elsewhere.
    apart = {PORTABLE_VARIABLE: "1", "XDG_RUNTIME_DIR": "", "TMPDIR": str(tmp_path)}
    variables = apart if command == "zonesim top" else {}
    done = run_in(tmp_path, [sys.executable, "-m", "zonesim", *arguments], 60, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_python_snippet_prints_what_its_comment_says(tmp_path: Path) -> None:
    (snippet,) = blocks("python")
    (tmp_path / "snippet.py").write_text(snippet)
    done = run_in(tmp_path, [sys.executable, "snippet.py"], 60)
    assert done.returncode == 0, done.stderr
    total, figures = done.stdout.splitlines()
    assert total == "1800"
    sent, batches = map(int, figures.split())
    assert sent == 300
    assert batches < 40  # also where a call takes so long that a few fill a batch


@pytest.mark.parametrize("snippet", blocks("toml"), ids=["crowded", "faults"])
def test_a_scenario_snippet_can_be_run(snippet: str, tmp_path: Path) -> None:
    tomllib.loads(snippet)
    (tmp_path / "mine.toml").write_text(snippet)
    done = run_in(tmp_path, [sys.executable, "-m", "zonesim", "check", "mine.toml"], 60)
    assert done.returncode == 0, done.stderr


def test_continuous_integration_runs_the_test_command_as_printed() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m1 '(.*)' README.md", script)
    assert pattern is not None
    found = [line for line in README.split("\n") if re.search(pattern[1], line)]
    assert found[0] == TESTS


def test_the_picture_exists() -> None:
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).is_file(), picture


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_first_command_sets_up_and_runs_the_main_job_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=60)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        ["bash", "-c", SET_UP],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=360,
        check=False,
    )
    try:
        assert done.returncode == 0, done.stderr
        last_step = next(
            line for line in done.stdout.split("\n") if line.lstrip().startswith("100 ")
        )
        assert last_step.split()[3] == "0", "late ticks"
        assert list(clone.glob("reports/*-scale/report.html"))
    finally:
        shutil.rmtree(clone)
