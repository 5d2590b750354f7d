"""What a shell in a stage of a recorded run needs, and what of it the record does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.shell.lines import is_member, printers_of
from dockercise_prefect.pipeline import (
    EACH_VARIABLE,
    DependencyKind,
    EngineVolume,
    HostPath,
    HostVariable,
    LiteralValue,
    Pipeline,
    Stage,
    StageImage,
    StageName,
    StageValue,
    StageValues,
    StageVolume,
    stages_of,
)
from dockercise_prefect.pipeline.sensitivity import secret_variables
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.results.record.run_facts import RunFacts
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus

_MASK = "***"


@dataclass(frozen=True, slots=True)
class Left:
    """What a stage of the run left, as the record says it."""

    stage: Stage
    summary: StageSummary
    kept: Kept

    @property
    def ran(self) -> bool:
        """Whether it was started, in this run or in the one that it is reused from."""
        return self.summary.started is not None or self.summary.reused_from is not None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a shell needs.

    Attributes:
        stages: the stage that only builds the image of the shell, if there is one, and the stage of the shell.
        inputs: for each of them, what the stages left that it needs.
        volumes: the stages whose volumes are mounted or copied.
        lost: for each stage, the variables whose texts are in no place where a run looks, each with the reason.
        notes: what the record does not have, and the shell begins without.
        unlike: what is not as it was in the run.
    """

    stages: Sequence[Stage]
    inputs: Mapping[StageName, Sequence[Left]]
    volumes: frozenset[StageName]
    lost: Mapping[StageName, Mapping[str, str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    unlike: Sequence[str] = ()

    @property
    def stage(self) -> Stage:
        """The stage of the shell."""
        return self.stages[-1]


def planned(view: RunView, name: StageName, facts: RunFacts | None, whose: str | None = None) -> Plan:
    """What a shell in a stage needs.

    Args:
        view: the recorded run.
        name: the stage.
        facts: how the run went; None if the record does not say it.
        whose: what errors call the record; None for the id of the run.

    Raises:
        UsageError: the stage has no container; or something that the shell needs is not in the record, and cannot be made
            again. Has all such things.
        StorageError: the record cannot be read.
    """
    stage = view.stage(name)
    if stage.is_group:
        hint = f"name a member of a run: `dockercise shell RUN '{name}(…)'`"
        raise UsageError(f"{name} has a member for each line, and a shell is in one of them", hint)
    if not stage.starts_container:
        what = "only builds an image" if stage.build is not None else "has no container"
        raise UsageError(f"{name} {what}, so there is nothing to open a shell in", "choose a stage that runs something")
    stages = [*builder_of(stage, view.pipeline), stage]
    left = {needed: _left(view, needed) for each in stages for needed in each.needs}
    missing = [text for each in stages for text in _missing(each, left, view)]
    if missing:
        lines = "".join(f"\n  {text}" for text in dict.fromkeys(missing))
        hint = "`dockercise run` makes it again; a shell in an earlier stage may need less"
        raise UsageError(f"a shell in {name} needs what {whose or view.run.run_id} does not have:{lines}", hint)
    lost = {each.name: dict(_lost(each, left, view.pipeline, facts)) for each in stages}
    if is_member(stage):
        lost[name] |= dict(_lost_line(stage, view))
    return Plan(
        stages=[_alone(each, lost[each.name]) for each in stages],
        inputs={each.name: [found for needed in each.needs if (found := left[needed]) and found.ran] for each in stages},
        volumes=frozenset(needed for each in stages for needed in _mounted(each) if (found := left[needed]) and found.ran),
        lost=lost,
        notes=list(_notes(stages, left)),
        unlike=list(_unlike_the_run(stages, facts)),
    )


def builder_of(stage: Stage, pipeline: Pipeline) -> Iterator[Stage]:
    """The stage that builds the image again in which the stage runs: only with what the build needs, without its script."""
    if not isinstance(stage.image, StageImage):
        return
    maker = pipeline.by_name[stage.image.stage]
    if maker.build is None:
        return
    env = {name: source for name, source in maker.env.items() if name in maker.build.secrets}
    needed = {maker.build.context.stage} if isinstance(maker.build.context, StageVolume) else set()
    needed.update(name for source in env.values() for name in stages_of(source))
    edges = tuple(edge for edge in maker.depends_on if edge.stage in needed)
    yield replace(maker, run=None, env=env, mounts=(), on=None, depends_on=edges)


def _left(view: RunView, name: StageName) -> Left | None:
    """None if the stage has not ended."""
    entry, kept = view.run.entry(name), view.run.kept(name)
    if entry is None or kept is None or entry.summary.status is StageStatus.RUNNING:
        return None
    return Left(view.pipeline.by_name[name], entry.summary, kept)


def _alone(stage: Stage, lost: Mapping[str, str]) -> Stage:
    """The stage without edges, except to the builder of its image: no other stage runs. Lost variables come from outside."""
    env = {name: HostVariable(name) if name in lost else source for name, source in stage.env.items()}
    if EACH_VARIABLE in lost:
        env[EACH_VARIABLE] = HostVariable(EACH_VARIABLE)
    edges = tuple(edge for edge in stage.depends_on if edge.kind is DependencyKind.IMG)
    return replace(stage, env=env, depends_on=edges, retries=None, timeout=None, cache=None, each=None)


def _mounted(stage: Stage) -> Iterator[StageName]:
    """The stages whose volumes a stage mounts, copies or builds from."""
    for mount in stage.all_mounts:
        if isinstance(mount.source, StageVolume):
            yield mount.source.stage
    if stage.on in stage.needs:
        yield stage.on or ""
    if stage.build is not None and isinstance(stage.build.context, StageVolume):
        yield stage.build.context.stage


def _missing(stage: Stage, left: Mapping[StageName, Left | None], view: RunView) -> Iterator[str]:
    """What the stage needs and the record does not have."""
    own = view.stages.get(stage.name)
    for name in stage.needs:
        found, kinds = left[name], {edge.kind for edge in stage.depends_on if edge.stage == name}
        if found is None:
            yield f"what {name} leaves: it has not ended"
        elif not found.ran and (own is None or own.started is None) and any(takes(kind) for kind in kinds):
            yield f"what {name} leaves: it never started ({found.summary.headline})"
        elif found.ran and found.kept.output_digest is None and _reads_output(stage, name):
            yield f"/out/{name}, what {name} printed: {_why(found, 'output')}"
    for name in dict.fromkeys(_mounted(stage)):
        found = left[name]
        if found is not None and found.ran and found.kept.volume_digest is None and not _left_nothing(found, view):
            yield f"/{name}, the volume of {name}: {_why(found, 'volume')}"
    if isinstance(stage.image, StageImage) and view.pipeline.by_name[stage.image.stage].build is None:
        yield f"the image that {stage.image.stage} left: images are not part of a record"


def takes(kind: DependencyKind) -> bool:
    """Whether a stage with such an edge takes something from the earlier stage, and does not only wait for it."""
    return kind is not DependencyKind.AFTER and not kind.asks


def _reads_output(stage: Stage, name: StageName) -> bool:
    """Whether a stage reads what another one printed. Its script is searched too, for paths that are not inferred."""
    paths = {edge.path for edge in stage.depends_on if edge.stage == name}
    is_named = any(re.search(rf"\bout/{re.escape(path)}(?![\w-])", stage.run or "") is not None for path in paths)
    return is_named or any(edge.stage == name and edge.kind is DependencyKind.OUT for edge in stage.depends_on)


def _left_nothing(left: Left, view: RunView) -> bool:
    """Whether a volume is not in the record because it was empty. Only a run that has ended, and stored everything, says so."""
    is_whole = view.summary is not None and view.summary.error is None
    is_left_out = left.stage.no_log or "volume" in left.kept.left_out
    return not left.stage.starts_container or (is_whole and not is_left_out)


def _why(left: Left, part: str) -> str:
    """Why a part of what a stage left is not in the record."""
    if left.stage.no_log:
        return f"{left.stage.name} has `noLog: true`"
    return left.kept.left_out.get(part) or left.kept.sensitive or "it is not stored: the run goes on, or ended in an error"


def _lost(
    stage: Stage, left: Mapping[StageName, Left | None], pipeline: Pipeline, facts: RunFacts | None
) -> Iterator[tuple[str, str]]:
    """The variables whose texts the record should have and does not have, each with the reason."""
    masked = facts is not None and stage.name in facts.masked
    secret = secret_variables(pipeline).get(stage.name, ())
    for variable, source in stage.env.items():
        match source:
            case StageValue() | StageValues():
                found = next((one for name in stages_of(source) if (one := left[name]) is not None and _is_unread(one)), None)
                if found is not None:
                    yield variable, f"the value of {found.stage.name}, which is not in the record: {_why(found, 'output')}"
            case LiteralValue() if masked and variable in secret:
                yield variable, "a secret text of the pipeline, which is not in the record"


def _lost_line(member: Stage, view: RunView) -> Iterator[tuple[str, str]]:
    """The variable with the line of a member, with the reason, if the record does not have the line."""
    for name in printers_of(member, view.pipeline):
        found = _left(view, name)
        if found is not None and _is_unread(found):
            yield EACH_VARIABLE, f"a line of {name}, which is not in the record: {_why(found, 'output')}"


def _is_unread(left: Left) -> bool:
    """Whether a stage ran, and the record does not have what it printed."""
    return left.ran and left.kept.output_digest is None


def _notes(stages: Sequence[Stage], left: Mapping[StageName, Left | None]) -> Iterator[str]:
    for name in dict.fromkeys(needed for each in stages for needed in each.needs):
        found = left[name]
        if found is not None and _is_unread(found):
            yield f"/out/{name} is empty: what {name} printed is not in the record: {_why(found, 'output')}"


def _unlike_the_run(stages: Sequence[Stage], facts: RunFacts | None) -> Iterator[str]:
    stage = stages[-1]
    for mount in stage.mounts:
        match mount.source:
            case HostPath(path):
                yield f"{mount.target} is the folder {path} as it is now, not as it was in the run"
            case EngineVolume(name):
                yield f"{mount.target} is the volume {name} of this engine as it is now; it stays afterwards, as in a run"
    if len(stages) > 1:
        yield f"the image of {stages[0].name} is built again, since images are not part of a record"
    elif stage.build is not None:
        yield "the image is built again, since images are not part of a record"
    if facts is None:
        yield "the record is of an earlier version: it does not say what the run knew of git, nor whether it had `--aws`"
    elif facts.aws:
        yield "the AWS folder is yours, as it is now on this machine"
    if facts is not None and stage.name in facts.masked and _MASK in (stage.run or ""):
        yield f"a secret text in the script is not in the record: it is {_MASK} there"
