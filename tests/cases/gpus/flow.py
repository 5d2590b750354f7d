"""Prefect flow `gpus`: 3 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

all_ = stage(
    "all",
    image="busybox",
    run="x",
    gpus="all",
    at="a.dockercise.yaml:1:1",
)

some = stage(
    "some",
    image="busybox",
    run="x",
    gpus="2",
    at="a.dockercise.yaml:2:1",
)

named = stage(
    "named",
    image="busybox",
    run="x",
    gpus="device=0,GPU-3a",
    at="a.dockercise.yaml:3:1",
)

pipeline = Pipeline(
    "gpus",
    [all_, some, named],
    digest="sha256:1c8bc74cc1f696bf78b0fc7de22df32a7b45cb46729dc05a7b0a88a47bc42a20",
)


@flow(name="gpus")
def gpus(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
) -> RunSummary:
    """Run the pipeline, or only the targets and what they need."""
    return run_pipeline(
        pipeline,
        root=ROOT,
        targets=targets,
        env=env,
        commit=commit,
        results=results,
        resume=resume,
    )


if __name__ == "__main__":
    raise SystemExit(run_as_script(gpus))
