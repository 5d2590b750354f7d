"""Opens a shell in a stage, and removes everything of it from the engine afterwards (docs/adr/0041)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from dockercise_prefect.errors import EngineError, StageError
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.run.limits import confinement_of, within_trust
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import restored_volume
from dockercise_prefect.orchestration.run.run import git_of
from dockercise_prefect.orchestration.shell.code import code_of, with_own_folders
from dockercise_prefect.orchestration.shell.images import with_exact_image
from dockercise_prefect.orchestration.shell.lines import is_member, line_of
from dockercise_prefect.orchestration.shell.outputs import RecordedOutputs
from dockercise_prefect.orchestration.shell.plan import Left, Plan, planned
from dockercise_prefect.orchestration.shell.variables import found_again
from dockercise_prefect.pipeline import EACH_VARIABLE, Dependency, DependencyKind, Pipeline, Stage, StageName
from dockercise_prefect.pipeline.instances import seen_as
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.runtime.attempts import StagePorts
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.copying.trials import FOLDER, Trials
from dockercise_prefect.runtime.dialogue import Dialogue, InteractiveEngine
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.stage.environment import VariableTexts
from dockercise_prefect.runtime.stage.job import JobResult, Stdout
from dockercise_prefect.runtime.stage.mounts import check_host_paths, code_folders
from dockercise_prefect.runtime.stage.shell import ShellAttempts, how_to_run
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A shell in a stage, as the user asks for it.

    Attributes:
        view: the recorded run, or what `earlier.as_now` has found.
        stage: the name of the stage.
        options: the settings of this machine, and the variables of `--env` and `--env-file`.
        root: the folder of the pipeline on this machine.
        dialogue: the user's side of the shell.
        notify: called with lines for the user, before the shell begins and after it has ended.
        sink: gets what the build of the image prints.
        engine: where the shell runs; None to find the user's engine. The caller closes an engine that it passes.
    """

    view: RunView
    stage: StageName
    options: RunOptions
    root: Path
    dialogue: Dialogue
    notify: Callable[[str], None]
    sink: OutputSink
    engine: InteractiveEngine | None = None


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """Where a shell is opened.

    Attributes:
        plan: what it needs.
        options: how it runs.
        code: returns the folder of the code.
        image: returns a stage with the image that it has there.
        notes: what the user must know before the shell begins.
        title: what the user is told that the shell is.
    """

    plan: Plan
    options: RunOptions
    code: Callable[[], AbstractContextManager[Path]]
    image: Callable[[Stage, Engine], Stage]
    notes: Sequence[str]
    title: str


def open_shell(visit: Visit) -> int:
    """Open a shell in a stage of a recorded run, and return its exit code when it has ended. Nothing stays on the engine.

    Raises:
        UsageError: something that the shell needs is not in the record, or a variable is not found again.
        DefinitionError: a folder that the stage mounts does not exist, or the stage does what an untrusted one may not.
        DockerciseError: the engine, the record or Prefect failed.
    """
    visit.view.run.index()  # raises if it is lost: then the view has stages without anything
    facts = visit.view.run.facts()
    plan = planned(visit.view, visit.stage, facts)
    options, commit, branch = visit.options, None, ""
    if facts is not None:
        settings = replace(options.settings, untrusted=options.settings.untrusted or facts.untrusted)
        options = replace(options, settings=settings, git=facts.git, aws=facts.aws, secret_blocks=facts.secret_blocks)
        commit, branch = facts.commit, facts.git.branch
    scene = _Scene(
        plan=plan,
        options=options,
        code=partial(code_of, visit.root, commit, branch, visit.notify),
        image=partial(_image_of_the_run, visit),
        notes=[*plan.notes, *plan.unlike],
        title=f"{visit.stage} of {visit.view.run.run_id}",
    )
    return _opened(visit, scene)


def open_shell_now(visit: Visit) -> int:
    """The same in a stage as it would run now. The view is of `earlier.as_now`."""
    plan = planned(visit.view, visit.stage, None, "the place of the results")
    scene = _Scene(
        plan=plan,
        options=replace(visit.options, git=git_of(visit.options, visit.root)),
        code=lambda: nullcontext(visit.root.resolve()),
        image=lambda stage, _engine: stage,
        notes=plan.notes,
        title=f"{visit.stage} as it would run now",
    )
    return _opened(visit, scene)


def _opened(visit: Visit, scene: _Scene) -> int:
    plan, options = scene.plan, scene.options
    pipeline = within_trust(replace(visit.view.pipeline, stages=plan.stages, answers=(), digest=None), options)
    check_host_paths(pipeline, visit.root)
    texts = found_again(plan, options, visit.view, visit.notify)
    with ExitStack() as stack:
        root = visit.root
        if code_folders(pipeline):
            root = stack.enter_context(scene.code())
        engine = visit.engine or stack.enter_context(closing(connect_engine(options.settings)))
        outputs = stack.enter_context(closing(RecordedOutputs(visit.view.run)))
        return _Shell(visit, scene, pipeline, root, engine, outputs).opened(texts)


def _image_of_the_run(visit: Visit, stage: Stage, engine: Engine) -> Stage:
    summary = visit.view.stages.get(stage.name)
    return with_exact_image(stage, None if summary is None else summary.image_digest, engine, visit.notify)


class _Shell:
    def __init__(  # noqa: PLR0917  all that was found out about it
        self,
        visit: Visit,
        scene: _Scene,
        pipeline: Pipeline,
        root: Path,
        engine: InteractiveEngine,
        outputs: RecordedOutputs,
    ) -> None:
        self._visit = visit
        self._scene = scene
        self._plan = scene.plan
        self._pipeline = pipeline
        self._options = scene.options
        self._root = root
        self._engine = engine
        self._outputs = outputs
        self._has_begun = False

    def opened(self, texts: Mapping[StageName, Mapping[str, str]]) -> int:
        view = self._visit.view
        stages = [with_own_folders(self._scene.image(stage, self._engine), self._visit.root) for stage in self._pipeline.stages]
        pipeline = replace(self._pipeline, stages=stages)
        # The labels have the run's id, since the stage sees it, but no flow run's: nobody may take this for the run.
        identity = RunIdentity(view.run.run_id, view.run.pipeline, str(uuid4()))
        settings = self._options.settings
        how = RuntimeOptions(
            root=self._root,
            jobs=1,
            aws=self._options.aws,
            confinement=confinement_of(settings),
            trials=Trials(settings.data / FOLDER),
        )
        attempts = ShellAttempts(stages[-1], self._engine, self._visit.dialogue, self._begins)
        with Workspace(self._engine, pipeline, identity, how, self._visit.notify, attempts.run) as workspace:
            workspace.prepare()
            self._compare_code(workspace.code_digest)
            ports = StagePorts(texts=VariableTexts(pipeline, texts, self._lines()), outputs=self._outputs)
            restored: dict[StageName, JobResult] = {}
            for stage in stages:
                for left in self._plan.inputs[stage.name]:
                    if left.stage.name not in restored:
                        restored[left.stage.name] = self._restored(left, workspace.volumes, workspace.any_image())
                inputs = {left.stage.name: restored[left.stage.name] for left in self._plan.inputs[stage.name]}
                result = workspace.run_stage(self._with_inputs(stage), inputs, ports, self._visit.sink)
                if stage is not stages[-1] and not result.status.succeeded:
                    raise StageError(f"the image of {stage.name} could not be built again: {result.message}")
        return self._exit_code(result)

    def _lines(self) -> dict[StageName, str]:
        """The line of the stage, if it is a member of a group, unless the user has to give it."""
        stage = self._visit.view.stage(self._visit.stage)
        is_known = is_member(stage) and EACH_VARIABLE not in self._plan.lost[stage.name]
        return {stage.name: line_of(stage, self._visit.view)} if is_known else {}

    def _with_inputs(self, stage: Stage) -> Stage:
        """The stage with edges to the stages that it needs, which say where it finds what they printed."""
        edges = (
            Dependency(
                left.stage.name,
                DependencyKind.OUT,
                seen_as=None if left.stage.instance is None else seen_as(stage.instance, left.stage.instance),
            )
            for left in self._plan.inputs[stage.name]
        )
        return replace(stage, depends_on=(*stage.depends_on, *edges))

    def _restored(self, left: Left, volumes: Volumes, image: str) -> JobResult:
        """What a stage left, on this engine: its output, and its volume if it is needed."""
        name, digest, volume = left.stage.name, left.kept.output_digest, None
        if name in self._plan.volumes and left.kept.volume_digest is not None:
            volume = restored_volume(self._visit.view.run, name, volumes, image)
        now = datetime.now(UTC)
        return JobResult(
            stage=name,
            attempt=left.kept.attempt or 1,
            status=left.summary.status,
            exit_code=left.summary.exit_code,
            message=None,
            started=now,
            finished=now,
            stdout=Stdout(0, None) if digest is None else self._outputs.fetch(name, digest),
            volume=volume,
        )

    def _compare_code(self, digest: str | None) -> None:
        summary = self._visit.view.summary
        recorded = None if summary is None else summary.code_digest
        if digest is not None and recorded is not None and digest != recorded:
            self._visit.notify("the code differs from that of the run: its digest is another one")

    def _begins(self) -> None:
        """Say, just before the shell begins, what the user must know in it."""
        for note in self._scene.notes:
            self._visit.notify(note)
        command = how_to_run(self._plan.stage)
        script = f"its script: {command}" if command else "it has no script, since it runs its image's own command"
        self._visit.notify(f"{self._scene.title}; {script}")
        self._has_begun = True

    def _exit_code(self, result: JobResult) -> int:
        if result.exit_code is None or not self._has_begun:
            error = StageError if result.status is StageStatus.FAILED else EngineError
            raise error(f"no shell in {result.stage}: {result.message}")
        if result.message is not None and result.message != f"exit code {result.exit_code}":
            self._visit.notify(result.message)
        return result.exit_code
