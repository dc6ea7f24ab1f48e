"""What this system offers, and how all of it is taken away."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from corororo import _platform

ENDLESS = resource.RLIM_INFINITY
FLAGS = [name for name in vars(_platform) if name.startswith("HAS_")]
PRINT_FLAGS = """
import json
from corororo import _platform
print(json.dumps({k: v for k, v in vars(_platform).items() if k.startswith("HAS_")}))
"""


def flags_of_a_process(environment: dict[str, str]) -> dict[str, bool]:
    command = [sys.executable, "-c", PRINT_FLAGS]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    flags: dict[str, bool] = json.loads(done.stdout)
    return flags


def test_one_variable_takes_all_away(source_environment: dict[str, str]) -> None:
    portable = flags_of_a_process({**source_environment, "CORORORO_PORTABLE": "1"})
    assert portable == dict.fromkeys(FLAGS, False)


@pytest.mark.parametrize("value", [None, "", "0"])
def test_no_other_value_changes_anything(
    source_environment: dict[str, str], value: str | None
) -> None:
    environment = {k: v for k, v in source_environment.items() if k != "CORORORO_PORTABLE"}
    if value is not None:
        environment["CORORORO_PORTABLE"] = value
    flags = flags_of_a_process(environment)
    assert list(flags) == FLAGS
    if sys.platform == "linux":
        assert all(flags.values())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((256, ENDLESS), (_platform.OPEN_FILES_MAX, ENDLESS)),
        ((1024, 20_000), (20_000, 20_000)),
        ((20_000, 20_000), (20_000, 20_000)),
        ((50_000, ENDLESS), (50_000, ENDLESS)),
        ((ENDLESS, ENDLESS), (ENDLESS, ENDLESS)),
    ],
)
def test_the_limit_on_open_files_is_raised_as_far_as_it_goes_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int]
) -> None:
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, new: limits.append(new))
    _platform.raise_open_file_limit()
    assert limits[-1] == after
