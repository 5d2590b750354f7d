"""Makes a `Pipeline` from a merged document: reads the stages, adds what their scripts name, checks and orders them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from dockercise_prefect.compiler.drafts import Draft
from dockercise_prefect.compiler.gates import report_gates
from dockercise_prefect.compiler.graph import in_order, report_cycles
from dockercise_prefect.compiler.guesses import without_guessed_cycles
from dockercise_prefect.compiler.matrix.consumers import Consumers
from dockercise_prefect.compiler.matrix.definitions import definitions
from dockercise_prefect.compiler.matrix.findings import merged
from dockercise_prefect.compiler.members import report_wrong_members
from dockercise_prefect.compiler.meta import Meta, read_meta
from dockercise_prefect.compiler.parameters import Parameters
from dockercise_prefect.compiler.reading.caching import without_useless_caches
from dockercise_prefect.compiler.reading.secrets import report_unknown, silenced
from dockercise_prefect.compiler.reading.variables import Variable, Variables
from dockercise_prefect.compiler.references import References
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.compiler.stages import StageReader, report_missing_images
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import MergedDocument
from dockercise_prefect.frontend.positions import Positions
from dockercise_prefect.pipeline import EACH_VARIABLE, Dependency, Pipeline, StageName, StageValue, build_secrets, digest_of

Drafts: TypeAlias = dict[StageName, Draft]


@dataclass(frozen=True, slots=True)
class Assembled:
    """The result: the settings of a document, and its pipeline; the pipeline is None if the findings contain errors.

    Attributes:
        document: the document with the values of parameters.
    """

    meta: Meta
    pipeline: Pipeline | None
    document: MergedDocument


def assemble(document: MergedDocument, name: str, findings: Findings, given: Mapping[str, object] | None = None) -> Assembled:
    """Check a document and make a pipeline of its stages.

    Args:
        document: all files merged into one.
        name: the pipeline's name if there is no `meta.name`.
        findings: collects what is wrong.
        given: values of the pipeline's parameters.
    """
    parameters = Parameters(document, given or {}, findings)
    document = parameters.expand(document)
    places = {stage.name: stage.key.place for stage in document.stages}
    defined = definitions(document.stages, findings)
    names = StageNames(places | {one.stage.name: one.stage.key.place for one in defined}, complete=document.complete)
    variables = Variables(places, names, parameters.of)
    meta = read_meta(document, name, variables, findings)
    parameters.report_secrets(meta.secrets)
    instances = {one.stage.name: one.instance for one in defined if one.instance is not None}
    consumers = Consumers(instances, places, findings)
    reader = StageReader(meta, names, variables, findings)
    written = {one.stage.name: reader.read(one.stage, one.instance, one.axes) for one in defined}
    pipeline = _pipeline(document, meta, written, consumers, parameters, findings)
    if instances:
        by_stage = {instance.of: consumers.names_of(instance.of) for instance in instances.values()}
        findings.replace(lambda found: merged(found, by_stage))
    return Assembled(meta, pipeline, document)


def _pipeline(  # noqa: PLR0917  the parts of one pipeline
    document: MergedDocument, meta: Meta, written: Drafts, consumers: Consumers, parameters: Parameters, findings: Findings
) -> Pipeline | None:
    references = References([stage.name for stage in document.stages], Positions(document.texts), findings, parameters.of)
    completed = _complete(written, meta, references, consumers)
    drafts = without_guessed_cycles({name: consumers.complete(draft) for name, draft in completed.items()}, findings)
    report_missing_images(drafts, findings)
    report_wrong_members(drafts, findings)
    order = in_order({name: [edge.stage for edge in draft.edges] for name, draft in drafts.items()})
    if len(order) < len(drafts):
        report_cycles({name: draft.edges for name, draft in drafts.items()}, findings)
    if findings.failed:
        return None
    first = _needed_first(meta, lambda stage: drafts[stage].edges, consumers)
    stages = {draft.name: draft.stage(consumers.inherited(draft, _inherited(draft, meta, first))) for draft in drafts.values()}
    report_unknown(meta.secrets, stages, findings)
    named = {*meta.secrets, *build_secrets(stages.values())}
    stages = silenced(stages, named)
    if meta.env:
        order = in_order({name: stage.needs for name, stage in stages.items()})
    secrets = tuple(sorted(named))
    pipeline = Pipeline(meta.name, [stages[name] for name in order], meta.tags, secrets, **meta.lifecycle)
    pipeline = replace(pipeline, parameters=parameters.of_the_pipeline)
    pipeline = without_useless_caches(
        pipeline, {draft.name: draft.cache_place for draft in drafts.values() if draft.cache_place}, findings
    )
    report_gates(pipeline, findings)
    if findings.failed:
        return None
    return pipeline.with_digest(digest_of(pipeline))


def _complete(written: Drafts, meta: Meta, references: References, consumers: Consumers) -> Drafts:
    """The stages, completed by what their scripts name.

    Stages whose values are in `meta.env`, and stages that these need, do not inherit the stages' values in `meta.env`: their
    scripts must name them. What such a stage needs is known only after its own script was read.
    """
    from_outside = {name for name, variable in meta.env.items() if not isinstance(variable.source, StageValue)}
    first: Drafts = {}

    def edges_of(stage: StageName) -> Sequence[Dependency]:
        first[stage] = references.complete(written[stage], from_outside)
        return first[stage].edges

    _needed_first(meta, edges_of, consumers)
    return {name: first.get(name) or references.complete(draft, meta.env.keys()) for name, draft in written.items()}


def _needed_first(
    meta: Meta, edges_of: Callable[[StageName], Sequence[Dependency]], consumers: Consumers
) -> Collection[StageName]:
    """The stages whose values are in `meta.env`, and all that they need; `edges_of` is called once for each."""
    waiting = [variable.source.stage for variable in meta.env.values() if isinstance(variable.source, StageValue)]
    found: set[StageName] = set()
    while waiting:
        for name in consumers.names_of(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.extend(edge.stage for edge in edges_of(name))
    return found


def _inherited(draft: Draft, meta: Meta, first: Collection[StageName]) -> Mapping[str, Variable]:
    """The variables that a stage inherits from `meta.env`. A stage that has to run first inherits no stage's value."""
    if not draft.starts_container:
        return {}
    own = () if draft.each is None else (EACH_VARIABLE,)
    return {
        name: variable
        for name, variable in meta.env.items()
        if name not in own and not (draft.name in first and isinstance(variable.source, StageValue))
    }
