"""The limits of a run with a pipeline that is not trusted, or on a machine that is guarded, according to the settings."""

from __future__ import annotations

from dockercise_prefect.compiler.trust import Limits, guarded, restrained
from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.runtime.stage.confinement import METADATA, Confinement
from dockercise_prefect.settings import Settings


def confinement_of(settings: Settings) -> Confinement:
    """The limits of each stage of a run."""
    if not settings.untrusted:
        return Confinement(pids=settings.pids, closed=METADATA if settings.guard_host else ())
    return Confinement(
        pids=settings.untrusted_pids,
        output=settings.untrusted_output,
        volume=settings.untrusted_volume,
        closed=METADATA,
    )


def within_trust(pipeline: Pipeline, options: RunOptions) -> Pipeline:
    """The pipeline as it may run: unchanged if it is trusted, otherwise with limits.

    Args:
        pipeline: only the stages that should run.
        options: their settings say whether the pipeline is trusted.

    Raises:
        UsageError: credentials would go to a pipeline that is not trusted.
        DefinitionError: the pipeline requests something that is not allowed, or the machine is guarded from it; has every
            refusal.
    """
    settings = options.settings
    if not settings.untrusted:
        return guarded(pipeline) if settings.guard_host else pipeline
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
