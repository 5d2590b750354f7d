"""Prefect flow `approve`: 4 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, approval, stage

ROOT = Path(__file__).resolve().parent

build = stage(
    "build",
    image="alpine",
    run="make",
    at="ci.dockercise.yaml:4:1",
)

deploy = stage(
    "deploy",
    image="alpine",
    after=[build],
    run="./deploy",
    approve="Deploy to production?",
    at="ci.dockercise.yaml:6:1",
)

announce = stage(
    "announce",
    image="alpine",
    after=[deploy],
    run="./announce",
    approve=approval("Tell everybody?\nThey will all read it.\n", timeout=5400),
    at="ci.dockercise.yaml:10:1",
)

gate = stage(
    "gate",
    after=[build],
    approve="42",
    at="ci.dockercise.yaml:18:1",
)

pipeline = Pipeline(
    "approve",
    [build, deploy, announce, gate],
    digest="sha256:b7a890fd36bbe1a793c3a7847623782fe74409121fd339c8430f09abc2c677c9",
)


@flow(name="approve")
def approve(
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
    raise SystemExit(run_as_script(approve))
