"""Load scenarios: find the file, read it, apply overrides, check it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from zonesim.system.text import encodable

from .durations import PATTERN, unit_of, with_durations
from .errors import ScenarioError as ScenarioError
from .errors import explain, nearest, scenario_error, shown
from .tables import Limits as Limits
from .tables import MapTable as MapTable
from .tables import Scenario as Scenario
from .tables import WorkerBounds as WorkerBounds

COMMAND_LINE = "command line"  # where an override's errors point
STANDARD_INPUT = Path("standard input")


def load_scenario(
    source: str | Path | bytes, overrides: Mapping[str, object] | None = None
) -> Scenario:
    """Read a scenario file, or a built-in scenario by its name.

    Bytes are the text of a scenario that came by standard input.
    `overrides` are dotted keys ("field.mobs") with values of TOML's types, and win over the
    file. A relative map path starts at the file, or at the working directory when an override
    gives it. Raises ScenarioError, one line: file, path inside it, what is expected and found.
    """
    overrides = overrides or {}
    path = STANDARD_INPUT if isinstance(source, bytes) else _find(source)
    data = _parse(path, source if isinstance(source, bytes) else _read(path))
    _override(data, overrides)
    data.setdefault("name", re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:64] or "scenario")
    scenario = _convert(path, data, overrides)
    return _with_map_file(path, scenario, overrides)


def parse_override(text: str) -> tuple[str, object]:
    """Split `key=value`; the value is TOML, or plain text where it is not valid TOML."""
    key, equals, value = text.partition("=")
    key = encodable(key)  # keys are checked as UTF-8
    if not equals or not key.strip():
        raise scenario_error(COMMAND_LINE, f"expected --set key=value, found {shown(text)}")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")
    except ValueError:
        return key.strip(), value.strip()
    return key.strip(), parsed["value"]


def builtin_scenarios() -> dict[str, Path]:
    """Scenarios that come with the package, by name."""
    package = Path(__file__).parent.parent
    # Installed, the files lie in the package; in a checkout beside it.
    folders = [package / "scenarios", package.parent / "scenarios"]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    return {path.stem: path for path in sorted(folder.glob("*.toml"))} if folder else {}


def scenario_schema() -> dict[str, Any]:
    """JSON Schema of a scenario file."""
    schema = msgspec.json.schema(Scenario)
    for table in schema["$defs"].values():
        for name, key in table["properties"].items():
            if unit_of(name):
                _allow_text(key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _find(name_or_path: str | Path) -> Path:
    path, text = Path(name_or_path), str(name_or_path)
    is_path = path.suffix == ".toml" or os.sep in text or os.path.isfile(path)
    if isinstance(name_or_path, Path) or is_path:
        return path
    builtin = builtin_scenarios()
    if text not in builtin:
        raise scenario_error(
            shown(text), f"no built-in scenario of this name; {nearest(text, list(builtin))}"
        )
    return builtin[text]


def _allow_text(key: dict[str, Any]) -> None:
    """Extend the schema of a duration's key, which says that it is a number."""
    if "anyOf" in key:
        key["anyOf"].append({"type": "string", "pattern": PATTERN})
    else:
        key.update(type=["number", "string"], pattern=PATTERN)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise scenario_error(str(path), f"cannot be read: {error.strerror}") from None


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8-sig"))  # without a byte order mark
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{error.object[error.start]:02x} (at line {line})"
        raise scenario_error(str(path), f"expected TOML in UTF-8, found: {found}") from None
    except ValueError as error:
        raise scenario_error(str(path), f"expected TOML in UTF-8, found: {error}") from None


def _override(data: dict[str, Any], overrides: Mapping[str, object]) -> None:
    for key, rival in (("ticks", "duration_s"), ("duration_s", "ticks")):
        if key in overrides and rival not in overrides:
            data.pop(rival, None)
    # Whole tables first, then keys inside them.
    for key, value in sorted(overrides.items(), key=lambda item: item[0].count(".")):
        *tables, last = key.split(".")
        table = data
        for name in tables:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise scenario_error(
                    COMMAND_LINE, f"$.{key}: expected a table, found {shown(table)}"
                )
        table[last] = value


def _convert(path: Path, data: dict[str, Any], overrides: Mapping[str, object]) -> Scenario:
    try:
        return msgspec.convert(with_durations(data), Scenario)
    except msgspec.ValidationError as error:
        inside, problem = explain(error, data, Scenario)
        raise scenario_error(_where(path, inside, overrides), problem) from None


def _with_map_file(path: Path, scenario: Scenario, overrides: Mapping[str, object]) -> Scenario:
    """The scenario with the path of its map made absolute."""
    if not scenario.map.path:
        return scenario
    given_by_override = "map.path" in overrides or "map" in overrides
    file = Path(scenario.map.path) if given_by_override else path.parent / scenario.map.path
    if not os.path.isfile(file):
        where = _where(path, "$.map.path", overrides)
        raise scenario_error(where, f"expected a Moving AI .map file, found no file {file}")
    return msgspec.structs.replace(
        scenario, map=msgspec.structs.replace(scenario.map, path=str(file.absolute()))
    )


def _where(path: Path, inside: str, overrides: Mapping[str, object]) -> str:
    """The file, or the command line when the key came from there."""
    if inside == "$":  # ticks beside duration_s: the overrides conflict
        by_override = "ticks" in overrides or "duration_s" in overrides
    else:
        by_override = any(
            f"{inside}.".startswith((f"$.{key}.", f"$.{key}["))
            or f"$.{key}".startswith(f"{inside}.")  # in a table that there is only for it
            for key in overrides
        )
    return f"{COMMAND_LINE if by_override else path}: {inside}"
