"""Scenarios as files: found, read, overridden, checked. Starts nothing."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from zonesim.scenario.errors import ScenarioError as ScenarioError
from zonesim.scenario.errors import explain, is_utf8, nearest, scenario_error, shown
from zonesim.scenario.steps import says_how_long
from zonesim.scenario.tables import ChainsTable as ChainsTable
from zonesim.scenario.tables import FieldTable as FieldTable
from zonesim.scenario.tables import Limits as Limits
from zonesim.scenario.tables import MapKind as MapKind
from zonesim.scenario.tables import MapTable as MapTable
from zonesim.scenario.tables import Scenario as Scenario
from zonesim.scenario.worker_bounds import WorkerBounds as WorkerBounds

COMMAND_LINE = "command line"  # where an override's errors point

# An override displaces what the file says in its stead; two in one place are an error.
_RIVALS: dict[str, tuple[str, ...]] = {
    "ticks": ("duration_s",),
    "duration_s": ("ticks",),
    "map.path": ("map.kind", "map.width", "map.height"),
    "map.kind": ("map.path",),
    "map.width": ("map.path",),
    "map.height": ("map.path",),
}
_TOML_PLACE = re.compile(r"^(?P<what>.*) \(at (?P<place>line \d+, column \d+|end of document)\)$")


def load_scenario(
    name_or_path: str | Path, overrides: Mapping[str, object] | None = None
) -> Scenario:
    """Read a scenario file, or a built-in scenario by its name.

    `overrides` are dotted keys ("field.mobs") with values of TOML's types, and win over the
    file. A relative map path counts from the file, or from the working directory when an
    override gives it. Raises ScenarioError, one line: file, path inside it, what was expected,
    what stands there.
    """
    overrides = overrides or {}
    path = _find(name_or_path)
    data = _read(path)
    _override(data, overrides)
    _check_one_ground(path, data, overrides)
    data.setdefault("name", re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:64] or "scenario")
    scenario = _convert(path, data, overrides)
    return _with_map_file(path, scenario, overrides)


def parse_override(text: str) -> tuple[str, object]:
    """Split `key=value`; the value is TOML, or plain text where it is none."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise scenario_error(COMMAND_LINE, f"expected --set key=value, found {shown(text)}")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")
    except (ValueError, RecursionError):
        return key.strip(), value.strip()
    # More than one key means that the text held a line feed: no value of TOML's at all.
    return key.strip(), parsed["value"] if len(parsed) == 1 else value.strip()


def builtin_scenarios() -> dict[str, Path]:
    """Scenarios that come with the package, by name."""
    package = Path(__file__).parent.parent
    # Installed, the files lie in the package; in a checkout beside it.
    folders = [package / "scenarios", package.parent / "scenarios"]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    return {path.stem: path for path in sorted(folder.glob("*.toml"))} if folder else {}


def scenario_schema() -> dict[str, Any]:
    """JSON Schema of a scenario file."""
    schema = _without_null(msgspec.json.schema(Scenario))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _find(name_or_path: str | Path) -> Path:
    path, text = Path(name_or_path), str(name_or_path)
    if (
        isinstance(name_or_path, Path)
        or text.endswith(".toml")
        or "/" in text
        or os.path.isfile(path)
    ):
        return path
    builtin = builtin_scenarios()
    if text not in builtin:
        raise scenario_error(
            shown(text), f"no built-in scenario of this name; {nearest(text, list(builtin))}"
        )
    return builtin[text]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise scenario_error(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise scenario_error(
            str(path),
            f"expected UTF-8 text, found byte 0x{error.object[error.start]:02x} "
            f"at offset {error.start}",
        ) from None
    except RecursionError:
        raise scenario_error(str(path), "expected TOML, found too many levels") from None
    except tomllib.TOMLDecodeError as error:
        raise scenario_error(str(path), _toml_problem(str(error))) from None
    except ValueError:  # the one error of Python's own that tomllib lets through
        raise scenario_error(
            str(path), "expected TOML, found a number of too many digits"
        ) from None


def _toml_problem(message: str) -> str:
    """The place first, as in all other messages."""
    found = _TOML_PLACE.match(message)
    return f"{found['place']}: {found['what']}" if found else message


def _override(data: dict[str, Any], overrides: Mapping[str, object]) -> None:
    for key, value in overrides.items():
        for rival in _rivals(key, value):
            if rival not in overrides:
                _remove(data, rival.split("."))
    # A table as a whole comes before keys inside it, which refine it.
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


def _rivals(key: str, value: object) -> tuple[str, ...]:
    """The keys in whose stead an override stands."""
    if key == "zones" and isinstance(value, str) and says_how_long(value):
        return ("ticks", "duration_s")
    return _RIVALS.get(key, ())


def _remove(data: dict[str, Any], keys: list[str]) -> None:
    *tables, last = keys
    table: object = data
    for name in tables:
        table = table.get(name) if isinstance(table, dict) else None
    if isinstance(table, dict):
        table.pop(last, None)


def _check_one_ground(path: Path, data: dict[str, Any], overrides: Mapping[str, object]) -> None:
    table = data.get("map")
    if not isinstance(table, dict) or "path" not in table:
        return
    for key in ("kind", "width", "height"):
        if key in table:
            where = _where(path, f"$.map.{key}", overrides)
            raise scenario_error(
                where, f"expected no {key} beside a map's path, found {shown(table[key])}"
            )


def _convert(path: Path, data: dict[str, Any], overrides: Mapping[str, object]) -> Scenario:
    try:
        return msgspec.convert(data, Scenario)
    except msgspec.ValidationError as error:
        inside, problem = explain(error, data, Scenario)
        raise scenario_error(_where(path, inside, overrides), problem) from None


def _with_map_file(path: Path, scenario: Scenario, overrides: Mapping[str, object]) -> Scenario:
    """The scenario with its map's path made absolute."""
    if not scenario.map.path:
        return scenario
    given_by_override = "map.path" in overrides or "map" in overrides
    base = Path.cwd() if given_by_override else path.parent.absolute()
    file = base / scenario.map.path
    if not is_utf8(str(file)):
        where = _where(path, "$.map.path", overrides)
        raise scenario_error(where, f"expected a path in UTF-8, found {shown(str(file))}")
    if not file.is_file():
        where = _where(path, "$.map.path", overrides)
        raise scenario_error(where, f"expected a Moving AI .map file, found no file {file}")
    return msgspec.structs.replace(
        scenario, map=msgspec.structs.replace(scenario.map, path=str(file))
    )


def _where(path: Path, inside: str, overrides: Mapping[str, object]) -> str:
    """The file, or the command line when the key came from there."""
    if inside == "$":  # one bound of steps beside another: an override displaces what it can
        by_override = "ticks" in overrides or "duration_s" in overrides
    else:
        by_override = any(f"{inside}.".startswith((f"$.{key}.", f"$.{key}[")) for key in overrides)
    return f"{COMMAND_LINE if by_override else path}: {inside}"


def _without_null(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """A schema without null, which TOML cannot say: such a key is left out instead."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = node.get("anyOf", [])
    if {"type": "null"} in choices:
        others = [choice for choice in choices if choice != {"type": "null"}]
        return _without_null(others[0] if len(others) == 1 else {"anyOf": others})
    return {key: _without_null(value) for key, value in node.items()}
