"""Makes the jobs of one run. Everything that an attempt needs is made before the attempt, and named in its job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import CODE, CodeSnapshot, Stage, StageName
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.copying.copies import Copies, OverlayPlan
from dockercise_prefect.runtime.files.shared_volumes import SharedVolumes
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.images import Images
from dockercise_prefect.runtime.stage.job import Job, JobResult, ServiceJob, variable_sources
from dockercise_prefect.runtime.stage.mounts import StageMounts, uses_code


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Makes jobs. Thread-safe.

    Attributes:
        identity: of the run.
        owner: the process that owns everything that the jobs make.
        images: of the run.
        shared: what several stages mount.
        mounts: turns what a stage mounts into mounts of the engine.
        copies: prepares copies of volumes.
        copied: how many stages work on a copy of a stage's volume.
        aws: whether every stage gets a copy of the user's AWS folder.
        git: whether the code is a git checkout.
        secrets: variables that are never stored, by their folded names.
        confinement: the limits of each stage.
        answers: the stages whose exit code is an answer for another stage.
        seen: the stages whose volume another stage uses.
    """

    identity: RunIdentity
    owner: str
    images: Images
    shared: SharedVolumes
    mounts: StageMounts
    copies: Copies
    copied: Mapping[StageName, int]
    aws: bool
    git: bool
    secrets: Iterable[str]
    confinement: Confinement
    answers: frozenset[StageName]
    seen: frozenset[StageName]

    def make(self, stage: Stage, inputs: Mapping[StageName, JobResult], attempt: int = 1) -> Job:
        """The job of an attempt at a stage. Its network and `/out` are still to be chosen.

        Args:
            stage: the stage to run.
            inputs: what the stages that it needs left.
            attempt: the number of the attempt, from 1 on.

        Raises:
            DockerciseError: something that the attempt needs is gone, or cannot be made.
        """
        job = Job(
            run=self.identity,
            owner=self.owner,
            stage=replace(stage, env={}, services=()),
            attempt=attempt,
            variables=variable_sources(stage),
            inputs=inputs,
            aws=self.aws,
            git=self.git and uses_code(stage),
            secrets=tuple(self.secrets),
            confinement=self.confinement,
            answers=stage.declared_name in self.answers,
            is_seen=stage.declared_name in self.seen,
        )
        if stage.joins_only:
            return job
        helper = self.images.any()
        origin = self._origin(stage, inputs, helper) if stage.starts_container else None
        return replace(
            job,
            image=self.images.of(stage),
            helper=helper,
            mounts=self.mounts.of(stage, inputs, helper) if stage.starts_container else (),
            origin=origin,
            overlay=self._overlay(stage, inputs, origin),
            context=self._context(stage, inputs, helper),
            services=tuple(self._services(stage, inputs, helper)),
            keeps_image=self.images.is_to_be_kept(stage),
        )

    def _services(self, stage: Stage, inputs: Mapping[StageName, JobResult], helper: str) -> Iterator[ServiceJob]:
        """The containers beside the stage's own. Their network is still to be chosen."""
        for service, as_stage in zip(stage.services, stage.service_stages, strict=True):
            image = self.images.of(as_stage)
            if image is None:
                raise EngineError(f"the image of the service {service.name} of {stage.name} is not known")
            yield ServiceJob(
                name=service.name,
                stage=replace(as_stage, env={}),
                ready=service.ready,
                variables=variable_sources(as_stage),
                image=image,
                mounts=self.mounts.written(as_stage, inputs, helper),
            )

    def _origin(self, stage: Stage, inputs: Mapping[StageName, JobResult], helper: str) -> str | None:
        """The volume whose copy is the beginning of the stage's own volume."""
        if stage.on is None:
            return None
        return self.shared.code(helper) if stage.on == CODE else self.mounts.volume_of(stage.on, inputs, helper)

    def _overlay(self, stage: Stage, inputs: Mapping[StageName, JobResult], origin: str | None) -> OverlayPlan | None:
        """How the attempt copies its origin by an overlay; None if all bytes have to be copied.

        An overlay can only be copied as bytes. So if several stages copy what this one leaves, one copy here spares theirs.
        """
        if origin is None or self.copied.get(stage.name, 0) > 1:
            return None
        left = inputs.get(stage.on or "")
        return self.copies.plan(stage.name, origin) if left is None or left.is_at_rest else None

    def _context(self, stage: Stage, inputs: Mapping[StageName, JobResult], helper: str) -> str | None:
        """The volume that holds what the stage builds."""
        if stage.build is None:
            return None
        context = stage.build.context
        if isinstance(context, CodeSnapshot):
            return self.shared.code(helper)
        return self.mounts.volume_of(context.stage, inputs, helper)
