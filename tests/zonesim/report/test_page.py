from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_run import MS, row, run_info, step_info
from msgspec.structs import replace

from zonesim.report.page import redraw, write_report
from zonesim.results.saved_run import Event, OutputError, RunError
from zonesim.results.writer import RunWriter
from zonesim.wire.ticks import TickRow

PNG_START = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps the text of cells and the sources of images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def write_run(
    directory: Path, *, limits: dict[str, float] | None = None, detail: str = "", ticks: int = 5
) -> Path:
    info = run_info(
        limits=limits or {},
        scenario="scale <&>",
        scenario_text="zones = [1, 2]  # <script>\n",
        machine={"cpu": "Abacus <3>", "cpus": 2, "memory_mb": 640},
    )
    with RunWriter(directory, info) as writer:
        for step, zones in enumerate((1, 2), start=1):
            writer.begin_step(step_info(step, zones))
            writer.add_ticks(
                step, [tick_row(z, tick) for z in range(zones) for tick in range(ticks)]
            )
            if detail:
                at_ns = 10**15 + 2_500 * MS
                writer.add_event(Event(step, at_ns, "worker-died", detail, worker=1, pid=17))
            writer.end_step(step, 2.0, 5.5)
        writer.finish("9f00000000000001")
    return directory


def tick_row(zone: int, tick: int) -> TickRow:
    plain = row(zone, tick)
    finished_ns = plain.scheduled_ns + 4 * MS
    return replace(plain, finished_ns=finished_ns, late=tick == 1, missed=0)


def page_of(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """A run without its summary, redrawn once; what redrew it gave, and the summary that was."""
    folder = write_run(tmp_path_factory.mktemp("run"), limits={"lost": 0}, detail="signal 9")
    summary = (folder / "summary.json").read_bytes()
    (folder / "summary.json").unlink()
    return redraw(folder), summary


def test_a_run_is_redrawn_into_figures_summary_and_report(redrawn):
    report, summary = redrawn
    assert report.name == "report.html"
    assert (report.parent / "summary.json").read_bytes() == summary
    assert len(list(report.parent.glob("*.png"))) == 4


def test_the_report_holds_its_figures_and_points_nowhere_else(redrawn):
    report, _ = redrawn
    links = page_of(report).links
    assert len(links) == 4
    for link in links:
        kind, _, content = link.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content, validate=True).startswith(PNG_START)
    text = report.read_text()
    assert not re.search(r"https?:|@import|url\(", text)


def test_every_tag_of_the_report_is_closed_in_order(redrawn):
    page = page_of(redrawn[0])
    assert page.open == []
    assert page.seen[:2] == ["html", "head"]


def test_every_row_of_a_table_is_as_wide_as_the_ones_around_it(tmp_path):
    page = page_of(write_report(write_run(tmp_path, detail="signal 9")))
    widths = {len(cells) for cells in page.rows}
    assert widths == {2, 5, 8, 9, 13}


def test_the_steps_stand_in_a_table_with_their_figures(tmp_path):
    rows = page_of(write_report(write_run(tmp_path))).rows
    assert ["2", "2", "2", "10", "2", "0", "2.5", "2.5"] in [cells[:8] for cells in rows]
    assert ["response", "2", "4.00", "4.00", "4.00", "4.00", "4.00", "4.00"] in rows
    assert ["cpu", "Abacus <3>"] in rows
    assert ["memory (MB)", "640"] in rows


def test_text_of_a_run_is_escaped(tmp_path):
    text = write_report(write_run(tmp_path, detail="<b onclick='x'>")).read_text()
    assert "<script>" not in text
    assert "<b onclick" not in text
    assert "scale &lt;&amp;&gt;" in text
    assert "zones = [1, 2]  # &lt;script&gt;" in text


def test_broken_limits_are_named(tmp_path):
    text = write_report(write_run(tmp_path, limits={"late_ratio": 0.1, "lost": 0})).read_text()
    assert "step 2 (2 zones): late_ratio is 0.2, above the limit of 0.1" in text


def test_kept_limits_are_named_too(tmp_path):
    text = write_report(write_run(tmp_path, limits={"late_ratio": 0.5})).read_text()
    assert "All kept: late_ratio 0.5." in text


def test_events_are_timed_from_the_first_tick(tmp_path):
    rows = page_of(write_report(write_run(tmp_path, detail="signal 9"))).rows
    assert ["2.500", "1", "worker-died", "worker 1 (pid 17)", "signal 9"] in rows


def test_a_report_without_figures_says_so(tmp_path):
    text = write_report(write_run(tmp_path)).read_text()
    assert text.count("not drawn") == 4


def test_a_run_without_a_tick_has_a_report(tmp_path):
    path = redraw(write_run(tmp_path, ticks=0, detail="signal 9"))
    assert ["0.000", "1", "worker-died", "worker 1 (pid 17)", "signal 9"] in page_of(path).rows


def test_a_run_that_did_not_finish_has_a_report(tmp_path):
    with RunWriter(tmp_path, run_info(limits={"unhealthy": 0})):
        pass
    page = redraw(tmp_path).read_text()
    assert "the run did not finish" in page
    assert "sets no limits" not in page


def test_a_folder_without_a_run_has_no_report(tmp_path):
    with pytest.raises(RunError):
        redraw(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    write_run(tmp_path)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html: cannot be written") as refusal:
        write_report(tmp_path)
    assert "\n" not in str(refusal.value)
