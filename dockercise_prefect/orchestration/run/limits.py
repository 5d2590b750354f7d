"""What a run may do with a pipeline that the settings say is not trusted."""

from __future__ import annotations

from dockercise_prefect.compiler.trust import Limits, restrained
from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.runtime.stage.confinement import METADATA, Confinement
from dockercise_prefect.settings import Settings


def confinement_of(settings: Settings) -> Confinement:
    """What each stage of a run is held to."""
    if not settings.untrusted:
        return Confinement()
    return Confinement(
        pids=settings.untrusted_pids,
        output=settings.untrusted_output,
        volume=settings.untrusted_volume,
        closed=METADATA,
    )


def within_trust(pipeline: Pipeline, options: RunOptions) -> Pipeline:
    """The pipeline as it may run: as it is where it is trusted, else within limits.

    Args:
        pipeline: only the stages that are to run.
        options: whose settings say whether it is trusted.

    Raises:
        UsageError: credentials are to go to one that is not.
        DefinitionError: it asks for what it may not; holds every refusal.
    """
    settings = options.settings
    if not settings.untrusted:
        return pipeline
    if options.aws:
        hint = f"remove --aws; the pipeline is not trusted because of {settings.origin('untrusted')}"
        raise UsageError("--aws would give your AWS folder to an untrusted pipeline", hint)
    limits = Limits(
        stages=settings.untrusted_stages,
        cpus=settings.untrusted_cpus,
        memory=settings.untrusted_memory,
        timeout=settings.untrusted_timeout,
    )
    return restrained(pipeline, limits)
