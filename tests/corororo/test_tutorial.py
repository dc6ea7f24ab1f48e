"""Every Python snippet of the library's README is run as it is printed there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "corororo" / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def file_name(snippet: str) -> str:
    named = re.match(r"# (\w+\.py)\n", snippet)
    assert named, f"the first line of a snippet is the name of its file: {snippet[:60]!r}"
    return named[1]


FILES = {file_name(snippet): snippet for snippet in SNIPPETS}
PROGRAMS = [name for name in FILES if not name.startswith("test_")]


def promised(snippet: str) -> list[str]:
    """What the comments behind ``print`` say, in order."""
    return re.findall(r"^ *print\(.*\)  # (.*)$", snippet, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of the README side by side, as a reader has saved them."""
    path = tmp_path_factory.mktemp("tutorial")
    for name, snippet in FILES.items():
        (path / name).write_text(snippet)
    return path


def run(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_snippet_has_a_file_of_its_own() -> None:
    assert len(FILES) == len(SNIPPETS) > 5


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_print_of_a_program_has_a_comment(name: str) -> None:
    assert len(promised(FILES[name])) == FILES[name].count("print(") > 0


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_its_comments_say(
    name: str, folder: Path, source_environment: dict[str, str]
) -> None:
    done = run([name], folder, source_environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == promised(FILES[name])
    assert done.stderr == ""


def test_the_tests_of_the_tutorial_pass(folder: Path, source_environment: dict[str, str]) -> None:
    (tests,) = FILES.keys() - set(PROGRAMS)
    count = len(re.findall(r"^def test_", FILES[tests], re.MULTILINE))
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", tests], folder, source_environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout
