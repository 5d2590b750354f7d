"""`report.html`: the page of a run in one permanent file, for any screen, with or without a mouse."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup

from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.places.files import json_bytes
from dockercise_prefect.results.reading.instances import Instances, folded_instances
from dockercise_prefect.results.reading.members import folded
from dockercise_prefect.results.reading.timeline import critical_path
from dockercise_prefect.results.reading.wording import MARKS, duration, shared_with, values_in_words, words
from dockercise_prefect.results.record.file_names import (
    INDEX,
    OUTPUTS,
    SUMMARY,
    entry_file,
    output_file,
    packed_log,
    plain_log,
    tests_file,
    volume_file,
)
from dockercise_prefect.results.report.excerpt import Excerpt
from dockercise_prefect.results.report.pages import page
from dockercise_prefect.results.report.shown_tests import ShownTests
from dockercise_prefect.results.report.source import Source
from dockercise_prefect.results.summary import RunSummary, StageSummary

SCRIPT = "run.js"
"""What the page does itself: the filter, the keys, the links to stages."""

LOGS = 4 * 1024 * 1024
LONGEST_LOG = 256 * 1024
SHORTEST_LOG = 4 * 1024
"""Bytes: about the size of all logs in a page; the maximum of one log; the size that every log may have in any case."""

LONGEST_VALUE = 16 * 1024
"""The maximum number of characters of a value in a page. With many stages, the byte limit of a log applies, if it is lower."""


def stage_anchor(name: StageName) -> str:
    """The link to a stage in the page: `#stage=build`."""
    return f"#stage={quote(name, errors='replace')}"  # a damaged summary may have half a surrogate pair


@dataclass(frozen=True, slots=True)
class Head:
    """What the page says about the run as a whole.

    Attributes:
        status: how the run ended, or `unfinished`.
        started: when it began, in ISO 8601.
        seconds: how long it took; None if it has not ended.
        results: where its record is.
    """

    pipeline: str
    run_id: str
    status: str
    started: str | None
    seconds: float | None = None
    error: str | None = None
    flow_run_url: str | None = None
    results: str | None = None

    @classmethod
    def of(cls, summary: RunSummary) -> Head:
        """The head for a run that has ended."""
        return cls(
            summary.pipeline,
            summary.run_id,
            summary.status.value,
            summary.started,
            summary.seconds,
            summary.error,
            summary.flow_run_url,
            summary.results,
        )


@dataclass(frozen=True, slots=True)
class Links:
    """Where the links of the page lead.

    Attributes:
        files: what comes before the name of a file of the record.
        runs: the page with all runs of the pipeline.
    """

    files: str
    runs: str


IN_ITS_FOLDER = Links("", "../index.html")
"""The links of a page that is a file of the record."""


def budget(stages: int) -> int:
    """How many bytes of one log the page of a run with so many stages shows."""
    return max(SHORTEST_LOG, min(LONGEST_LOG, LOGS // max(1, stages)))


def run_page(
    source: Source,
    head: Head,
    pipeline: Pipeline,
    stages: Mapping[StageName, StageSummary],
    *,
    graph: str | None,
    commit: str | None,
    links: Links = IN_ITS_FOLDER,
    scripts: Sequence[str] = (SCRIPT,),
    refresh: int | None = None,
) -> str:
    """The page of a run.

    Args:
        source: the record.
        head: the run as a whole.
        pipeline: the pipeline that ran.
        stages: how its stages ended. Those that are missing are not on the page.
        graph: the stages as SVG, whose boxes link to `stage_anchor`; None if there are too many stages.
        commit: the commit of the code that ran; None if it is not known.
        links: where its links lead.
        scripts: see `page`; `SCRIPT` is one of them.
        refresh: see `page`.
    """
    path = critical_path({stage.name: stage.needs for stage in pipeline}, stages)
    clock = _Clock.of(stages)
    stages = folded(stages)
    longest = budget(len(stages))
    critical = set(path)
    entries = [
        _entry(source, stage, stages[stage.name], clock, longest, is_critical=stage.name in critical)
        for stage in pipeline
        if stage.name in stages
    ]
    return page(
        "run.html.j2",
        scripts,
        refresh,
        run=head,
        links=links,
        tags=pipeline.tags,
        commit=commit,
        values=values_in_words(pipeline),
        stages=entries,
        groups=_groups(pipeline, entries, folded_instances(pipeline, stages)),
        blamed=[entry for entry in entries if entry.is_to_blame],
        path=path,
        path_seconds=sum(stages[name].seconds or 0.0 for name in path),
        graph=Markup(graph) if graph else None,  # noqa: S704  our own SVG, with all texts escaped
        files=[name for name in (INDEX, SUMMARY, OUTPUTS) if name in source.names],
    )


@dataclass(frozen=True, slots=True)
class _Clock:
    """The time of the run, for the bars: when it began, and how many seconds it took."""

    began: datetime
    seconds: float

    @classmethod
    def of(cls, stages: Mapping[StageName, StageSummary]) -> _Clock | None:
        """The clock of a run; None if no stage ran."""
        starts = [datetime.fromisoformat(stage.started) for stage in stages.values() if stage.started]
        ends = [datetime.fromisoformat(stage.finished) for stage in stages.values() if stage.finished]
        if not starts or not ends:
            return None
        return cls(min(starts), max(0.001, (max(ends) - min(starts)).total_seconds()))

    def bar(self, stage: StageSummary) -> tuple[float, float] | None:
        """The start and the length of the stage's bar, in hundredths; None for a stage that did not run."""
        if stage.started is None or stage.seconds is None:
            return None
        left = (datetime.fromisoformat(stage.started) - self.began).total_seconds() / self.seconds * 100
        return round(min(left, 99.5), 2), round(max(0.2, min(stage.seconds / self.seconds * 100, 100 - left)), 2)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A stage as the page shows it."""

    name: StageName
    state: str
    mark: str
    words: str
    took: str | None
    bar: tuple[float, float] | None
    when: str
    headline: str
    more: str
    is_critical: bool
    is_to_blame: bool
    facts: list[str]
    files: list[str]
    log: Excerpt | None
    no_log: str
    tests: ShownTests | None
    json: str

    @property
    def id(self) -> str:
        """The id of its element."""
        return f"stage={self.name}"

    @property
    def href(self) -> str:
        """The link to the stage."""
        return stage_anchor(self.name)

    @property
    def text(self) -> str:
        """The text that a filter searches."""
        tests = self.tests.counts.words if self.tests else ""
        return f"{self.name} {self.words} {self.headline} {tests} {'critical' if self.is_critical else ''}".lower()


@dataclass(frozen=True, slots=True)
class _Group:
    """Stages that follow each other on the page: the instances of one stage that are shown together, or a single stage.

    Attributes:
        instances: sums the instances up; None for a single stage.
    """

    entries: Sequence[_Entry]
    instances: Instances | None = None

    @property
    def mark(self) -> str:
        """The sign for the state of the instances that matters most."""
        return "" if self.instances is None else MARKS[self.instances.status]


def _groups(pipeline: Pipeline, entries: Sequence[_Entry], folded: Mapping[StageName, Instances]) -> list[_Group]:
    by_name = {entry.name: entry for entry in entries}
    found: dict[StageName, _Group] = {}
    for entry in entries:
        stage = pipeline.by_name[entry.name].written_name
        if stage not in folded:
            found[entry.name] = _Group([entry])
        elif stage not in found:
            found[stage] = _Group([by_name[name] for name in folded[stage].names if name in by_name], folded[stage])
    return list(found.values())


def _entry(
    source: Source, stage: Stage, summary: StageSummary, clock: _Clock | None, longest: int, *, is_critical: bool
) -> _Entry:
    kept = source.entry(stage.name)
    logs = [file for service in stage.service_stages for file in (packed_log(service.name), plain_log(service.name))]
    files = [name for name in (*_files(stage.name), *logs) if name in source.names]
    lines = (summary.message or "").strip().splitlines()
    tests = source.tests(stage.name)
    return _Entry(
        name=stage.name,
        state=summary.status.value,
        mark=MARKS[summary.status],
        words=words(summary.status),
        took=None if summary.seconds is None else duration(summary.seconds),
        bar=clock.bar(summary) if clock else None,
        when=_when(summary, clock),
        headline=lines[0] if lines else "",
        more="\n".join(lines[1:]),
        is_critical=is_critical,
        is_to_blame=summary.status.to_blame,
        facts=[*_facts(stage, summary, kept), *_volume_facts(source, stage.name)],
        files=files,
        log=source.log(stage.name, longest) if _has_log(source, stage.name) else None,
        no_log=_why_no_log(stage, summary, files),
        tests=None if tests is None else ShownTests.of(tests, longest),
        json=json_bytes(_shortened(kept, min(LONGEST_VALUE, longest))).decode().rstrip("\n"),
    )


def _files(name: StageName) -> tuple[str, ...]:
    return packed_log(name), plain_log(name), output_file(name), entry_file(name), tests_file(name), volume_file(name)


def _has_log(source: Source, name: StageName) -> bool:
    return packed_log(name) in source.names or plain_log(name) in source.names


def _shortened(kept: Mapping[str, object], longest: int) -> Mapping[str, object]:
    """The object of a stage without the digests of what it was made from, and without most of a long value."""
    shown = {key: value for key, value in kept.items() if key != "made_from"}
    value = kept.get("value")
    if not isinstance(value, str) or len(value) <= longest:
        return shown
    return {**shown, "value": f"{value[:longest]}… and {len(value) - longest:,} more characters, in the file"}


def _facts(stage: Stage, summary: StageSummary, kept: Mapping[str, object]) -> Iterator[str]:
    if summary.exit_code is not None:
        yield f"exit code {summary.exit_code}"
    if summary.at_attempt:
        yield summary.at_attempt
    if summary.approval is not None:
        yield summary.approval.in_words
    if summary.audit is not None:
        yield f"compared with {summary.audit.run_id}: {summary.audit.difference or 'the same'}"
    if stage.needs:
        yield f"after {', '.join(stage.needs)}"
    if summary.image_digest:
        yield f"image {summary.image_digest}"
    if kept.get("sensitive"):
        yield f"sensitive: {kept.get('sensitive_because')}"
    left_out = kept.get("left_out")
    if isinstance(left_out, dict):
        yield from (f"{what} not kept: {why}" for what, why in left_out.items())


def _volume_facts(source: Source, name: StageName) -> Iterator[str]:
    base = source.base(name) if volume_file(name) in source.names else None
    if base is not None:
        yield f"volume: {shared_with(base)}"


def _when(summary: StageSummary, clock: _Clock | None) -> str:
    if clock is None or summary.started is None or summary.seconds is None:
        return ""
    after = max(0.0, (datetime.fromisoformat(summary.started) - clock.began).total_seconds())
    return f"started {duration(after)} into the run, took {duration(summary.seconds)}"


def _why_no_log(stage: Stage, summary: StageSummary, files: Collection[str]) -> str:
    if stage.no_log:
        return "It has noLog: its output is not kept."
    if packed_log(stage.name) in files:
        return "It is not on this page. Its file is above."
    return "It printed nothing." if summary.started else "It has not run."
