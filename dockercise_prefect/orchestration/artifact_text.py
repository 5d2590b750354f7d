"""What Prefect's UI shows of stages and runs besides their states, as Markdown: pure, nothing sent here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.results.place import shown
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.timeline import critical_path
from dockercise_prefect.results.wording import MARKS, duration, words
from dockercise_prefect.status import StageStatus

LONGEST_SLUG = 60
"""Characters of a name in a key."""

Link = Callable[[str], str]
"""From a file of the record to an address at which it is found."""

_ORDER = (
    {StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR},
    {StageStatus.CANCELLED, StageStatus.RUNNING},
    {StageStatus.NOT_STARTED},
)
"""What a reader wants to see first; all others follow in the pipeline's order."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")


def run_key(pipeline: str) -> str:
    """The key of a run's artifact: the same for all runs of a pipeline, so that Prefect lists them together."""
    return f"{_slug(pipeline)}-run"


def stage_key(pipeline: str, stage: StageName) -> str:
    """The key of a stage's artifact: the same in all runs, and no other stage's."""
    return f"{_slug(pipeline)}-stage-{_slug(stage)}"


def stage_text(name: StageName, summary: StageSummary, tail: Sequence[str], files: Sequence[str], link: Link) -> str:
    """A stage: how it ended, where its record is, the end of its log.

    Args:
        name: the stage.
        summary: how it ended.
        tail: the last lines of its log, masked.
        files: those of its record, as `<stage>.log`.
        link: finds them.
    """
    rows = [
        ("state", f"{MARKS[summary.status]} {words(summary.status)}"),
        ("took", _took(summary)),
        ("exit code", "" if summary.exit_code is None else str(summary.exit_code)),
        ("message", _plain(summary.headline) if summary.message else ""),
        ("image", f"`{summary.image_digest}`" if summary.image_digest else ""),
        *((file.removeprefix(name).lstrip(".") or file, _linked(file, link)) for file in files),
    ]
    lines = [f"## {_plain(name)}", "", *_table(("", ""), (row for row in rows if row[1]))]
    if tail:
        lines += ["", f"The last {len(tail)} lines of its log:" if len(tail) > 1 else "Its log:", "", *_fenced(tail)]
    return "\n".join(lines) + "\n"


def run_text(summary: RunSummary, pipeline: Pipeline, files: Sequence[str], link: Link) -> str:
    """A run: every stage, failures first, the critical path, where the record is.

    Args:
        summary: how it ended.
        pipeline: what ran.
        files: of the record that concern the whole run.
        link: finds them.
    """
    path = critical_path({stage.name: stage.needs for stage in pipeline}, summary.stages)
    head = f"## {_plain(summary.pipeline)}: {summary.status.value}"
    took = "" if summary.seconds is None else f" in {duration(summary.seconds)}"
    reasons = f": {_plain(', '.join(summary.reasons))}" if summary.reasons else ""
    rows = [
        (
            f"{MARKS[stage.status]} {words(stage.status)}",
            f"**{_plain(name)}**" if name in path else _plain(name),
            _took(stage),
            "" if stage.exit_code is None else str(stage.exit_code),
            _plain(stage.headline) if stage.message else "",
        )
        for name, stage in sorted(summary.stages.items(), key=lambda item: _rank(item[1]))
    ]
    lines = [head, "", f"{summary.status.value}{took}{reasons}", ""]
    lines += _table(("state", "stage", "took", "exit code", "message"), rows)
    if path:
        lines += ["", f"**Critical path** ({duration(_span(path, summary))}): {' → '.join(map(_plain, path))}"]
    lines += ["", *_table(("record", ""), ((file, _linked(file, link)) for file in files))]
    lines += ["", *_fenced([f"dockercise show {summary.run_id}", f"dockercise logs {summary.run_id} STAGE"])]
    return "\n".join(lines) + "\n"


def _rank(stage: StageSummary) -> int:
    return next((index for index, statuses in enumerate(_ORDER) if stage.status in statuses), len(_ORDER))


def _span(path: Sequence[StageName], summary: RunSummary) -> float:
    return sum(summary.stages[name].seconds or 0.0 for name in path)


def _slug(name: str) -> str:
    """Lower-case letters, digits and dashes, which is all that a key may hold; distinct names stay distinct."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if slug == name and len(slug) <= LONGEST_SLUG:
        return slug
    return "-".join(filter(None, (slug[:LONGEST_SLUG].strip("-"), hashlib.sha256(name.encode()).hexdigest()[:8])))


def _took(stage: StageSummary) -> str:
    return "" if stage.seconds is None else duration(stage.seconds)


def _linked(file: str, link: Link) -> str:
    """A link that a browser follows, or the path of a file: pages from the network may not open files."""
    url = link(file)
    return f"[{_plain(file)}](<{url}>)" if url.startswith("http") else f"`{shown(url)}`"


def _plain(text: str) -> str:
    """The text as it is, whatever it would mean in Markdown, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _fenced(lines: Sequence[str]) -> Iterator[str]:
    """The lines as they are, between fences that are longer than any run of back quotes in them."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from lines
    yield fence
