from __future__ import annotations

import signal

from zonesim.live.view_file import VIEW_FILE, read_view

RUN = ("run", "chains", "--zones", "3", "--set", "period_ms=20", "--set", "chains.chains=4")


def ticks_seen(run):
    """The ticks that a run shows, as soon as it shows itself."""
    shown = [session for session in run.sessions() if (session / VIEW_FILE).exists()]
    return sum(read_view(session).progress.ticks for session in shown)


def test_top_shows_a_run_that_does_not_wait_for_it(start, tmp_path):
    run = start(*RUN, "--duration", "600", "--out", "watched", "--json")
    run.wait_until(lambda: ticks_seen(run), "ticks that are shown")
    with open(tmp_path / "seen", "w") as seen:
        watching = start("top", "watched", stdout=seen)
    asking = start("top", "watched", "--json")
    progress = asking.finish().document
    watching.wait_until((tmp_path / "seen").read_text, "line")
    watching.signal(signal.SIGSTOP)

    run.signal(signal.SIGINT)
    ended = run.finish()
    watching.signal(signal.SIGCONT)
    left = watching.finish()

    assert (ended.code, left.code, left.error) == (130, 0, ""), (ended.error, left.error)
    assert progress["scenario"] == "chains"
    assert progress["zones_by_state"] == {"Ready": 3}
    assert sorted(line["zone"] for line in progress["busiest"]) == [0, 1, 2]
    assert 0 < progress["ticks"] <= ended.document["steps"][0]["ticks"]
    assert 0 < progress["tps_lowest"] <= progress["tps_median"] <= progress["tps_highest"]
    first, *_, last = (tmp_path / "seen").read_text().splitlines()
    assert (first, last) == ("step 1 of 1, 3 zones: running", "watched: the run has ended")
