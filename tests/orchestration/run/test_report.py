"""The page of a run: its contents, and that no output or name of a stage can harm it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from dockercise_prefect.orchestration.run.report import LARGEST_GRAPH, report
from dockercise_prefect.pipeline import Pipeline, Stage, instance, stage
from dockercise_prefect.results.report.excerpt import excerpt
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import ran, run_id


def page_of(
    folder: Path, *stages: tuple[Stage, StageSummary, bytes], status: RunStatus = RunStatus.FAILED, error: str | None = None
) -> str:
    folder.mkdir(exist_ok=True)
    for one, summary, log in stages:
        (folder / f"{one.name}.log").write_bytes(log)
        (folder / f"{one.name}.json").write_text(json.dumps({"stage": one.name, **summary.to_json(), "value": "v"}))
    pipeline = Pipeline("shop", [one for one, _, _ in stages], tags=["nightly"])
    known = {one.name: summary for one, summary, _ in stages}
    return report(folder, pipeline, RunSummary(run_id(), "shop", RunStatus.FAILED, error=error, stages=known))


class Elements(HTMLParser):
    """The elements of a page, each with its attributes; and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_files_of_a_stage_are_linked(tmp_path: Path) -> None:
    """The log, the output and the entry of a stage are linked if they are in the record."""
    greet, check = stage("greet", image="bb:1", run="x"), stage("check", image="bb:1", run="y")
    (tmp_path / "greet.out").write_bytes(b"hello\n")

    page = page_of(tmp_path, *((one, ran(StageStatus.PASSED, 0, 1), b"hello\n") for one in (greet, check)))

    linked = {attributes["href"] for tag, attributes in Elements(page).elements if tag == "a"}
    assert {"greet.log", "greet.out", "greet.json", "check.log", "check.json"} <= linked
    assert "check.out" not in linked


def test_the_page_says_what_went_wrong_first(tmp_path: Path) -> None:
    """Failures come before the graph and the list, with the last lines of their logs and a link to the stage."""
    greet, check = stage("greet", image="bb:1", run="x"), stage("check", image="bb:1", run="y")
    failed = ran(StageStatus.FAILED, 1, 2, 1, "exit code 1\ngrep: no match")

    page = page_of(tmp_path, (greet, ran(StageStatus.PASSED, 0, 1), b"hello\n"), (check, failed, b"grep: no match\n"))

    text = Elements(page).text
    assert text.index("What went wrong") < text.index("grep: no match") < text.index("Graph") < text.index("Stages")
    assert 'href="#stage=check"' in page
    assert "nightly" in text


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    """The policy of the page allows no request, and the page loads no style, script, picture or font from anywhere."""
    page = page_of(tmp_path, (stage("a", image="bb:1", run="x"), ran(StageStatus.PASSED, 0, 1), b"hello\n"))

    elements = Elements(page).elements
    policy = next(attributes["content"] or "" for tag, attributes in elements if attributes.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert not {tag for tag, _ in elements} & {"img", "link", "iframe", "object", "embed", "video", "audio", "form", "base"}
    assert not [attributes for tag, attributes in elements if tag == "script" and "src" in attributes]
    assert not re.search(r"url\(|@import", page)


def test_what_stages_print_and_are_called_stays_text(tmp_path: Path) -> None:
    """Markup, ends of scripts, control characters and bytes that are not UTF-8 are shown, and have no effect."""
    name = "<script>alert('1')</script>&\"☃".replace("/", "|")
    evil = b"</pre></details><script>alert(2)</script>\x1b[31mred\x1b[0m \x1b]0;title\x07\xff</script>\n"

    page = page_of(tmp_path, (stage(name, image="<b>", run="x"), ran(StageStatus.PASSED, 0, 1), evil))

    elements = Elements(page)
    assert [tag for tag, _ in elements.elements].count("script") == 1
    assert "</pre></details><script>alert(2)</script>red \ufffd</script>" in elements.text.replace("\r", "")
    assert "\x1b" not in page
    assert name in elements.text


def test_a_big_pipeline_is_listed_and_not_drawn(tmp_path: Path) -> None:
    """Above some hundred stages there is no picture, and the page has a few megabytes at most, whatever the stages printed."""
    many = [
        (stage(f"s{number}", image="bb:1", run="x"), ran(StageStatus.PASSED, 0, 1), b"x" * 20_000)
        for number in range(LARGEST_GRAPH + 1)
    ]

    page = page_of(tmp_path, *many)

    assert "<svg" not in page
    assert page.count('<details class="stage') == LARGEST_GRAPH + 1
    assert len(page) < 8_000_000


def test_many_instances_are_folded(tmp_path: Path) -> None:
    """Many instances of a stage are in one part of the page, which says how they ended, and in one box of the picture."""
    which = [instance("check", NUMBER=str(number)) for number in range(LARGEST_GRAPH + 1)]
    many = [(stage(one.name, instance=one, image="bb:1"), ran(StageStatus.PASSED, 0, 1), b"") for one in which]
    report_of_all = (stage("end", image="bb:1", after=[one for one, _, _ in many]), ran(StageStatus.PASSED, 1, 2), b"")

    page = page_of(tmp_path, *many, report_of_all)

    assert page.count('<details class="instances passed" id="instances=check">') == 1
    assert f"{len(which)} instances: {len(which)} passed" in page
    assert "<svg" in page
    assert 'href="#stage=check%280%29"' in page


def test_long_values_of_many_stages_are_cut(tmp_path: Path) -> None:
    """Values have a limit on the page, as logs do, and the page shows how much is missing."""
    names = [f"s{number}" for number in range(LARGEST_GRAPH + 1)]
    for name in names:
        (tmp_path / f"{name}.json").write_text(json.dumps({"stage": name, "value": "x" * 16_000}))
    known = {name: ran(StageStatus.PASSED, 0, 1) for name in names}
    pipeline = Pipeline("shop", [stage(name, image="bb:1", run="x") for name in names])

    page = report(tmp_path, pipeline, RunSummary(run_id(), "shop", RunStatus.PASSED, stages=known))

    assert len(page) < 6_000_000
    assert "more characters, in the file" in page


def test_digests_of_what_a_stage_was_made_from_are_in_its_file_only(tmp_path: Path) -> None:
    """The page shows the rest of the object of a stage: a digest of each folder and variable would be most of the page."""
    (tmp_path / "greet.json").write_text(json.dumps({"stage": "greet", "value": "hello", "made_from": {"salt": "sha256:aa"}}))
    pipeline, known = Pipeline("shop", [stage("greet", image="bb:1", run="x")]), {"greet": ran(StageStatus.PASSED, 0, 1)}

    page = report(tmp_path, pipeline, RunSummary(run_id(), "shop", RunStatus.PASSED, stages=known))

    text = Elements(page).text
    assert '{\n  "stage": "greet",\n  "value": "hello"\n}' in text
    assert "sha256:aa" not in text.replace("image sha256:aa", "")


def test_the_page_says_when_and_from_which_commit(tmp_path: Path) -> None:
    """The head shows the beginning with its time zone, and the commit if it is known."""
    one = stage("a", image="bb:1", run="x")
    summary = RunSummary(
        run_id(), "shop", RunStatus.PASSED, started="2026-11-22T19:03:12+00:00", stages={"a": ran(StageStatus.PASSED, 0, 1)}
    )

    text = Elements(report(tmp_path, Pipeline("shop", [one]), summary, "0123456789ab-dirty")).text

    assert "2026-11-22 19:03:12 UTC" in text
    assert "commit 0123456789ab-dirty" in text


def test_boxes_of_the_graph_can_be_reached_without_eyes(tmp_path: Path) -> None:
    """A picture whose boxes are links is a group for a screen reader, because the contents of an image are left out."""
    a, b = stage("a", image="bb:1", run="x"), stage("b", image="bb:1", run="y")

    page = page_of(tmp_path, (a, ran(StageStatus.CACHED, 0, 1), b""), (b, ran(StageStatus.PASSED, 1, 1), b""))

    assert [attributes["role"] for tag, attributes in Elements(page).elements if tag == "svg"] == ["group"]


def test_sensitive_stages_say_so(tmp_path: Path) -> None:
    """A stage with `noLog` has no log on the page, and the page gives the reason."""
    hush = stage("hush", image="bb:1", run="x", no_log=True)
    summary = RunSummary(run_id(), "shop", RunStatus.PASSED, stages={"hush": ran(StageStatus.PASSED, 0, 1)})

    page = report(tmp_path, Pipeline("shop", [hush]), summary)

    assert "It has noLog: its output is not kept." in Elements(page).text


def test_a_run_that_ended_before_it_began_has_a_page(tmp_path: Path) -> None:
    """Even if no stage ran and there was an error of ours, the page has something to read."""
    never = (stage("a", image="bb:1", run="x"), StageSummary(StageStatus.NOT_STARTED), b"")

    page = page_of(tmp_path, never, error="no engine answers")

    assert "no engine answers" in Elements(page).text


def test_a_compressed_log_is_shown_as_any_other(tmp_path: Path) -> None:
    """The page shows beginning and end of a log that is compressed in the record, and links to its file."""
    one, summary = stage("a.b", image="bb:1", run="x"), ran(StageStatus.PASSED, 0, 1)
    (tmp_path / "a.b.log.zst").write_bytes(ZstdCompressor().compress(b"first\n" + b"middle\n" * 500_000 + b"last\n"))

    page = report(tmp_path, Pipeline("shop", [one]), RunSummary(run_id(), "shop", RunStatus.PASSED, stages={"a.b": summary}))

    shown = Elements(page)
    assert re.search(
        r"first\nmiddle\n[^…]*middle\n… 3\.1 MB left out here; the full log is in the file …middle\n[^…]*last\n", shown.text
    )
    assert [
        attributes["href"] for tag, attributes in shown.elements if tag == "a" and ".log" in (attributes["href"] or "")
    ] == ["a.b.log.zst"]
    assert len(page) < 400_000


def test_a_log_is_cut_at_lines_in_its_middle() -> None:
    """The page shows the beginning of a long log, more of its end, both in whole lines, and how much is missing."""
    lines = [b"line %05d\n" % number for number in range(10_000)]

    shown = excerpt(lines, 10_000)

    assert shown is not None
    assert shown.head.startswith("line 00000\n")
    assert shown.tail.endswith("line 09999\n")
    assert len(shown.tail) > 2 * len(shown.head)
    assert shown.left_out + len(shown.head) + len(shown.tail) == sum(map(len, lines))
    assert all(re.fullmatch(r"line \d{5}", line) for line in (shown.head + shown.tail).splitlines())


@given(pieces=st.lists(st.binary(max_size=500), max_size=8), budget=st.integers(16, 400))
def test_any_log_has_an_excerpt(pieces: list[bytes], budget: int) -> None:
    """For any log in any pieces, the excerpt has about the allowed length, and the rest is counted."""
    log = b"".join(pieces)

    shown = excerpt(pieces, budget)

    assert shown == excerpt([log], budget)
    if shown is not None:
        assert 0 <= shown.left_out <= len(log)
        assert shown.left_out > 0 or len(log) <= budget or not shown.tail
