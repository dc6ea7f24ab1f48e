from __future__ import annotations

from zonesim_runs import needs_titles, saved

SMALL = ("--set", "chains.chains=20", "--set", "period_ms=40", "--json", "--out", "run")


def step_of(document, key):
    return [step[key] for step in document["steps"]]


def test_each_step_ticks_as_many_zones_as_it_asks_for(start, tmp_path):
    zones = [1, 2, 3]
    listed = ",".join(map(str, zones))

    ended = start("scale", "chains", "--zones", listed, "--duration", "0.4", *SMALL).finish()

    assert ended.code == 0, ended.error
    document = ended.document
    assert step_of(document, "zones") == step_of(document, "zone_processes") == zones
    per_step = "SELECT step, count(DISTINCT zone) FROM ticks GROUP BY step ORDER BY step"
    assert saved(tmp_path / "run", per_step) == list(enumerate(zones, start=1))
    for step in document["steps"]:
        assert step["async_tasks"]["lost"] == 0
        assert step["ticks"] + step["missed"] == 10 * step["zones"]
        assert step["duration_s"] >= 0.4
    lines = ended.error.splitlines()
    for number in range(1, len(zones) + 1):
        assert sum(line.startswith(f"step {number} of {len(zones)}, ") for line in lines) >= 2


def test_a_zone_goes_on_where_it_stopped_in_the_step_before(start, tmp_path):
    ended = start("scale", "chains", "--zones", "3,1,2", "--ticks", "3", *SMALL).finish()

    assert ended.code == 0, ended.error
    ticks = "SELECT step, tick FROM ticks WHERE zone = {} ORDER BY tick"
    steps = [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert saved(tmp_path / "run", ticks.format(0)) == list(zip(steps, range(9), strict=True))
    steps = [1, 1, 1, 3, 3, 3]
    assert saved(tmp_path / "run", ticks.format(1)) == list(zip(steps, range(6), strict=True))
    assert saved(tmp_path / "run", ticks.format(2)) == [(1, 0), (1, 1), (1, 2)]
    assert step_of(ended.document, "zone_processes") == [3, 1, 2]


def test_scale_takes_the_steps_of_the_built_in_scenario_for_one_that_has_none(start, tmp_path):
    command = start("scale", "chains", "--ticks", "1", *SMALL)

    document = command.finish(timeout_s=60).document

    assert step_of(document, "zones") == [1, 2, 5, 10, 20, 50, 100]
    assert step_of(document, "ticks") == [1, 2, 5, 10, 20, 50, 100]


@needs_titles
def test_zones_share_processes_that_say_which_they_hold(start, tmp_path):
    shared = ("--zones", "6", "--zones-per-process", "4", "--duration", "0.8")
    command = start("run", "chains", *shared, *SMALL)
    command.wait_for_step(tmp_path / "run")
    names = sorted(line for line in command.processes().values() if "zonesim zone" in line)

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert names == ["zonesim zones 0-3", "zonesim zones 4-5"]
    [step] = ended.document["steps"]
    assert (step["zones"], step["zone_processes"]) == (6, 2)
    assert step["async_tasks"]["lost"] == 0
    assert step["ticks"] + step["missed"] == 6 * 20
