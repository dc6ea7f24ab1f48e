from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.loading import (
    Limits,
    MapTable,
    Scenario,
    ScenarioError,
    WorkerBounds,
    load_scenario,
    parse_override,
    scenario_schema,
)
from zonesim.scenario.tables import DEFAULT_DURATION_S
from zonesim.workloads.chains import parse_work

NOT_WORKS = ["", "spin", "spin:0us", "sleep:60001ms", "spin:5s", "nap:5ms", "none\n", "spin:1.5ms"]


def test_an_empty_file_is_one_zone_of_mobs_for_ten_seconds(write):
    scenario = load_scenario(write(""))

    assert scenario == Scenario(name="mine")
    assert (scenario.workload, scenario.steps, scenario.duration_s) == ("field", (1,), None)
    assert scenario.plan == ((1, DEFAULT_DURATION_S),)


def test_every_key_that_a_file_gives_reaches_the_scenario(write):
    scenario = load_scenario(
        write(
            """
            name = "rush"
            workload = "chains"
            zones = [1, 20]
            workers = 3
            zones_per_process = 20
            ticks = 7
            period_ms = 200
            pace = "max"
            seed = 9
            late = "carry"
            transfer = "inline"
            ring_mb = 2
            map = {kind = "towns", width = 32, height = 16}
            field = {mobs = 1, players = 0}
            chains = {chains = 5, work = "spin:200us"}
            limits = {late_ratio = 0.5, lost = 0}
            """
        )
    )

    assert scenario.steps == (1, 20)
    assert (scenario.ticks, scenario.duration_s) == (7, None)
    assert scenario.map == MapTable(kind="towns", width=32, height=16)
    assert scenario.limits.figures() == {"late_ratio": 0.5, "lost": 0}
    assert msgspec.convert(msgspec.to_builtins(scenario), Scenario) == scenario


@pytest.mark.parametrize("name", ["chains", "chaos", "field", "scale"])
def test_each_built_in_scenario_loads_under_its_name_and_says_what_it_is(name):
    scenario = load_scenario(name)

    assert scenario.name == name
    assert scenario.description
    assert scenario.limits.lost == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("zonse = 1", "$.zonse: unknown key; nearest: zones"),
        ("[weather]\nrain = 1", "$.weather: unknown key; known: name, description"),
        ('"a\\nb" = 1', "$.a\\nb: unknown key"),
        ("zones = 0", "$.zones: expected a whole number from 1 to 1000 or a list"),
        ("zones = [1, 1001]", "$.zones[1]: expected a whole number from 1 to 1000, found 1001"),
        ('workers = "many"', '$.workers: expected a whole number from 0 to 256 or "auto"'),
        ("workers = {min = 2}", "$.workers: expected max, a whole number from 1 to 256, found"),
        ("[workers]\nmax = 3\nmni = 1", "$.workers.mni: unknown key; nearest: min"),
        ("[workers]\nmax = 3\nmin = 4", "$.workers: expected min to be at most max, found 4"),
        ('late = "drop"', '$.late: expected "carry" or "wait", found "drop"'),
        ("period_ms = nan", "$.period_ms: expected a number from 1 to 60000, or text such as "),
        ('duration_s = "5 min"', 'or text such as "90s" or "1m30s" or "500ms", found "5 min"'),
        ('duration_s = "200h"', 'expected a number, above 0 and at most 604800, or text such as "'),
        ('[supervision]\nwindow_s = "-1s"', "$.supervision.window_s: expected a number, above 0"),
        ("[limits]\nlost = -1", "$.limits.lost: expected a whole number, at least 0, found -1"),
        ("field = 3", "$.field: expected a table, found 3"),
        ("ticks = 3\nduration_s = 4", "$: expected ticks or duration_s, found both"),
        ('ticks = 3\nzones = "1..3:+1 every 2s"', "$: expected ticks or ramps with `every`"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_and_what_was_expected(
    write, text, problem, refusal
):
    path = write(text)

    message = refusal(path)

    assert message.startswith(f"{path}: $")
    assert problem in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("zones = 1\nworkers = ]", "(at line 2, column 11)"),
        ("zones = [", "(at end of document)"),
    ],
)
def test_a_file_that_is_not_toml_is_refused(write, refusal, text, problem):
    path = write(text)

    message = refusal(path)

    assert message.startswith(f"{path}: expected TOML in UTF-8, found: ")
    assert problem in message


def test_text_that_is_not_utf_8_is_refused_with_its_line(refusal):
    assert refusal(b"# mine\n# caf\xe9\nzones = 1") == (
        "standard input: expected TOML in UTF-8, found: byte 0xe9 (at line 2)"
    )


def test_a_byte_order_mark_is_no_part_of_a_file(write):
    assert load_scenario(write("\ufeffzones = 3")).steps == (3,)


def test_a_scenario_may_come_as_the_bytes_of_standard_input(tmp_path, monkeypatch, refusal):
    (tmp_path / "a.map").touch()
    monkeypatch.chdir(tmp_path)

    scenario = load_scenario(b'zones = 3\nmap.path = "a.map"')

    assert (scenario.steps, scenario.name) == ((3,), "standard-input")
    assert scenario.map.path == str(tmp_path / "a.map")
    assert refusal(b"zonse = 3") == "standard input: $.zonse: unknown key; nearest: zones"


def test_an_unknown_name_is_refused_with_the_known_ones(refusal):
    assert refusal("chain") == (
        '"chain": no built-in scenario of this name; nearest: chains, chaos'
    )
    assert "known: chains, chaos, field, scale" in refusal("")


def test_a_name_with_a_slash_is_a_path_and_may_be_that_of_a_pipe(refusal):
    reader, writer = os.pipe()
    os.write(writer, b"zones = 3")
    os.close(writer)
    assert load_scenario(f"/dev/fd/{reader}").steps == (3,)
    os.close(reader)
    assert refusal("./none") == "none: cannot be read: No such file or directory"


def test_an_override_wins_over_the_file(write):
    path = write("zones = 3\n[field]\nmobs = 5\nplayers = 2")

    scenario = load_scenario(path, {"zones": [1, 2], "field.mobs": 7, "limits.lost": 0})

    assert scenario.steps == (1, 2)
    assert (scenario.field.mobs, scenario.field.players) == (7, 2)
    assert scenario.limits.lost == 0


def test_an_override_removes_what_it_excludes_from_the_file(write):
    timed = load_scenario(write("ticks = 3"), {"duration_s": 2.5})
    counted = load_scenario(write("duration_s = 3"), {"ticks": 4})

    assert (timed.ticks, timed.duration_s) == (None, 2.5)
    assert (counted.ticks, counted.duration_s) == (4, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("1.5 m", 90.0),
        ("1h", 3600.0),
        ("1h 1m30s", 3690.0),
        ("100ms", 0.1),
    ],
)
def test_a_duration_may_be_written_as_people_do(write, text, seconds):
    assert load_scenario("field", {"duration_s": text}).duration_s == seconds
    assert load_scenario(write(f'duration_s = "{text}"')).duration_s == seconds


def test_every_duration_may_be_text(write):
    text = write(
        """
        period_ms = "1.5s"
        workers = {max = 2, sync_s = "500ms"}
        limits = {recovery_ms = "2s"}
        supervision = {window_s = "1m", backoff_s = "50ms", tick_hang_s = "10"}
        [[faults]]
        kind = "surge"
        players = 1
        every_s = "1m"
        for_s = "5s"
        """
    )
    numbers = write(
        """
        period_ms = 1500
        workers = {max = 2, sync_s = 0.5}
        limits = {recovery_ms = 2000}
        supervision = {window_s = 60, backoff_s = 0.05, tick_hang_s = 10}
        [[faults]]
        kind = "surge"
        players = 1
        every_s = 60
        for_s = 5
        """,
        "numbers.toml",
    )
    assert load_scenario(text, {"name": "same"}) == load_scenario(numbers, {"name": "same"})


def test_a_ramp_sets_the_duration_of_its_own_steps(write):
    scenario = load_scenario(write('zones = "3,1..21:+10 every 15s"\nduration_s = 4'))

    assert scenario.plan == ((3, 4.0), (1, 15.0), (11, 15.0), (21, 15.0))
    assert scenario.steps == (3, 1, 11, 21)
    assert load_scenario(write('zones = "1..3:+1"\nticks = 4')).plan == (
        (1, None),
        (2, None),
        (3, None),
    )


def test_the_message_names_the_command_line_or_the_file_whichever_is_wrong(write, refusal):
    path = write("seed = -1")

    assert refusal("field", {"field.mobs": 0}).startswith("command line: $.field.mobs: ")
    assert refusal("field", {"zones.first": 1}).startswith("command line: $.zones.first: ")
    assert refusal("field", {"": 1}).startswith("command line: $.: unknown key")
    assert refusal(path, {"zones": 2}).startswith(f"{path}: $.seed: ")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("field.mobs=100", "field.mobs", 100),
        ("zones = [1, 2]", "zones", [1, 2]),
        ("pace=max", "pace", "max"),
        ('pace="max"', "pace", "max"),
        ("chains.work=spin:200us", "chains.work", "spin:200us"),
        ("map.path=a=b.map", "map.path", "a=b.map"),
        ("name=", "name", ""),
    ],
)
def test_a_setting_is_a_key_and_a_value_of_toml_or_plain_text(text, key, value):
    assert parse_override(text) == (key, value)


@pytest.mark.parametrize("text", ["zones", "=3", " = 3", ""])
def test_a_setting_without_key_or_value_is_refused(text):
    with pytest.raises(ScenarioError, match="expected --set key=value, found"):
        parse_override(text)


def test_a_map_path_counts_from_the_file_and_an_overriding_one_from_the_working_directory(
    write, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "a.map").touch()
    (elsewhere / "b.map").touch()
    monkeypatch.chdir(elsewhere)
    path = write('[map]\npath = "a.map"')

    assert load_scenario(path).map.path == str(tmp_path / "a.map")
    assert load_scenario(path, {"map.path": "b.map"}).map.path == str(elsewhere / "b.map")
    assert load_scenario("field", {"map.path": "b.map"}).map.path == str(elsewhere / "b.map")


def test_a_map_that_is_not_there_is_refused(write, tmp_path, refusal):
    message = refusal(write('[map]\npath = "none.map"'))

    assert f"$.map.path: expected a Moving AI .map file, found no file {tmp_path}" in message


def test_a_number_of_workers_that_follows_the_load_starts_at_its_minimum(write):
    file = write("workers = {min = 2, max = 6, target_utilisation = 0.5}")

    scenario = load_scenario(file, {"workers.hold": 5})

    assert scenario.worker_count == 2
    assert scenario.worker_bounds == WorkerBounds(
        min=2, max=6, target_utilisation=0.5, buffer=0, sync_s=2.0, hold=5
    )
    assert load_scenario(file, {"transfer": "inline"}).worker_bounds is None
    assert load_scenario(file, {"workers": 3}).worker_bounds is None


@pytest.mark.parametrize(
    ("work", "parsed"),
    [
        ("none", None),
        ("sleep:5ms", ("sleep", 5_000_000)),
        ("spin:200us", ("spin", 200_000)),
        ("sleep:60000ms", ("sleep", 60_000_000_000)),
    ],
)
def test_a_valid_work_is_parsed(work, parsed):
    assert parse_work(load_scenario("chains", {"chains.work": work}).chains.work) == parsed


@pytest.mark.parametrize("work", NOT_WORKS)
def test_an_invalid_work_is_refused(work, refusal):
    assert '$.chains.work: expected text such as "none" or "sleep:5ms"' in refusal(
        "chains", {"chains.work": work}
    )


def test_a_file_name_with_spaces_gives_a_valid_name(write):
    assert load_scenario(write("", "my rush (2).toml")).name == "my-rush-2"


def test_the_schema_names_every_key_its_bounds_and_its_meaning():
    definitions = scenario_schema()["$defs"]

    assert set(definitions["Scenario"]["properties"]) == set(Scenario.__struct_fields__)
    assert set(definitions["Limits"]["properties"]) == set(Limits.__struct_fields__)
    for table in definitions.values():
        assert table["additionalProperties"] is False
        for key in table["properties"].values():
            assert {"description", "$ref", "enum", "allOf"} & key.keys()  # enum: a table's kind
    assert definitions["Scenario"]["properties"]["period_ms"]["type"] == ["number", "string"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [*Scenario.__struct_fields__, "map.path", "map.kind", "field.mobs", "limits.lost", "a.b"]
) | st.text(max_size=6)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_is_overridden_gives_a_scenario_or_one_line(overrides):
    refused = ""
    try:
        scenario = load_scenario("field", overrides)
    except ScenarioError as error:
        refused = str(error)
    if refused:
        assert refused.isprintable()
    else:
        assert all(
            (scenario.ticks is None) == (step.duration_s is not None) for step in scenario.plan
        )
