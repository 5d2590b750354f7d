"""A merged document to a `Pipeline`: the way through, each step taking the last one's product."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from dockercise_prefect.compiler.graph import in_order, report_circles
from dockercise_prefect.compiler.meta import Meta, read_meta
from dockercise_prefect.compiler.references import References
from dockercise_prefect.compiler.stages import Draft, StageReader, report_missing_images
from dockercise_prefect.compiler.suggest import StageNames
from dockercise_prefect.compiler.variables import Variable, Variables
from dockercise_prefect.errors import DefinitionError, Diagnostic, NothingToDoError
from dockercise_prefect.frontend.discover import Source, read_sources
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import MergedDocument, read_all
from dockercise_prefect.frontend.positions import Positions
from dockercise_prefect.pipeline import Code, Dependency, Pipeline, StageName, StageValue, digest_of

Drafts: TypeAlias = dict[StageName, Draft]


@dataclass(frozen=True, slots=True)
class Written:
    """What a pipeline was compiled from, for those who need finer places than the pipeline has.

    Attributes:
        document: what all files say.
        lint_off: lint rules that `meta.lint` switches off.
    """

    document: MergedDocument
    lint_off: frozenset[Code]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pipeline, the warnings on the way to it, how many files it was written in, and what these say."""

    pipeline: Pipeline
    warnings: tuple[Diagnostic, ...]
    files: int
    written: Written


def compile_folder(root: Path, *, name: str | None = None) -> Compiled:
    """Find, read, merge and compile the pipeline below a folder.

    Args:
        root: where to look.
        name: what the pipeline is called when `meta.name` says nothing; by default the folder's name.

    Raises:
        UsageError: the root is no folder.
        NothingToDoError: there is no file.
        DefinitionError: the files are wrong; it holds all findings.
    """
    findings = Findings()
    sources = read_sources(root, findings)
    if not sources and not findings.failed:
        raise NothingToDoError(f"nothing to do: no *.dockercise.yaml below {root}", "`dockercise init` writes a first one")
    return _compile(sources, name or root.resolve().name, findings)


def compile_sources(sources: Sequence[Source], name: str) -> Compiled:
    """Compile files that have been read; a function of its arguments.

    Args:
        sources: the files, in path order.
        name: what the pipeline is called when `meta.name` says nothing.

    Raises:
        DefinitionError: the files are wrong; it holds all findings.
    """
    return _compile(sources, name, Findings())


def _compile(sources: Sequence[Source], name: str, findings: Findings) -> Compiled:
    unread = findings.failed
    with _collector_paused():
        document = read_all(sources, findings)
        document = replace(document, complete=document.complete and not unread)
        places = {stage.name: stage.key.place for stage in document.stages}
        names = StageNames(places, complete=document.complete)
        variables = Variables(places, names)
        meta = read_meta(document, name, variables, findings)
        pipeline = _pipeline(document, meta, names, variables, findings)
    found = findings.in_order()
    if pipeline is None:
        raise DefinitionError(found)
    return Compiled(pipeline, found, len(sources), Written(document, meta.lint_off))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Hold the garbage collector off: in a big pipeline it takes half of the time, and there is nothing to collect."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _pipeline(
    document: MergedDocument, meta: Meta, names: StageNames, variables: Variables, findings: Findings
) -> Pipeline | None:
    """The pipeline, or None when there are errors among the findings."""
    reader = StageReader(meta, names, variables, findings)
    written = {definition.name: reader.read(definition) for definition in document.stages}
    references = References(written, Positions(document.texts), findings)
    drafts = _complete(written, meta, references) if meta.implicit else written
    report_missing_images(drafts, findings)
    report_circles({name: draft.edges for name, draft in drafts.items()}, findings)
    if findings.failed:
        return None
    first = _needed_first(meta, lambda stage: drafts[stage].edges)
    stages = {draft.name: draft.stage(_inherited(draft, meta, first)) for draft in drafts.values()}
    order = in_order({name: stage.needs for name, stage in stages.items()})
    pipeline = Pipeline(meta.name, [stages[name] for name in order], meta.tags)
    return replace(pipeline, digest=digest_of(pipeline))


def _complete(written: Drafts, meta: Meta, references: References) -> Drafts:
    """The stages with what their scripts name.

    A stage that `meta.env` asks for, or that such a one needs, does not get the values of `meta.env`: its script has to name
    them. What it needs is known only when its own script has been read.
    """
    from_outside = {name for name, variable in meta.env.items() if not isinstance(variable.source, StageValue)}
    first: Drafts = {}

    def edges_of(stage: StageName) -> Sequence[Dependency]:
        first[stage] = references.complete(written[stage], from_outside)
        return first[stage].edges

    _needed_first(meta, edges_of)
    return {name: first.get(name) or references.complete(draft, meta.env.keys()) for name, draft in written.items()}


def _needed_first(meta: Meta, edges_of: Callable[[StageName], Sequence[Dependency]]) -> Collection[StageName]:
    """The stages that `meta.env` asks for, and all that they need; `edges_of` is asked once for each."""
    waiting = [variable.source.stage for variable in meta.env.values() if isinstance(variable.source, StageValue)]
    found: set[StageName] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edge.stage for edge in edges_of(name))
    return found


def _inherited(draft: Draft, meta: Meta, first: Collection[StageName]) -> Mapping[str, Variable]:
    """What `meta.env` gives a stage: to one that has to come first, no stage's value."""
    if not draft.starts_container:
        return {}
    if draft.name not in first:
        return meta.env
    return {name: variable for name, variable in meta.env.items() if not isinstance(variable.source, StageValue)}
