"""Prefect flow `defaults-unset`: 3 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

plain = stage(
    "plain",
    image="busybox",
    run="id",
    timeout=300,
    no_log=True,
    user="1000",
    at="a.dockercise.yaml:7:1",
)

other = stage(
    "other",
    image="alpine",
    run="id",
    no_log=False,
    at="a.dockercise.yaml:8:1",
)

join = stage(
    "join",
    after=[plain],
    timeout=300,
    no_log=True,
    user="1000",
    at="a.dockercise.yaml:9:1",
)

pipeline = Pipeline(
    "defaults-unset",
    [plain, other, join],
    digest="sha256:4e56d2d22c5d85fefbf066385e7c42a9df0b404c65902b36c2aa1831b187f2fa",
)


@flow(name="defaults-unset")
def defaults_unset(
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
    raise SystemExit(run_as_script(defaults_unset))
