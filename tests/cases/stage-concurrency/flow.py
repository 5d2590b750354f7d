"""Prefect flow `turns`: 3 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, at_once, stage

ROOT = Path(__file__).resolve().parent

deploy = stage(
    "deploy",
    image="alpine",
    run="./deploy",
    concurrency="production",
    at="ci.dockercise.yaml:3:1",
)

migrate = stage(
    "migrate",
    image="alpine",
    run="./migrate",
    concurrency="production",
    at="ci.dockercise.yaml:4:1",
)

load_test = stage(
    "load-test",
    image="alpine",
    run="./test",
    concurrency=at_once("db", 2),
    at="ci.dockercise.yaml:5:1",
)

pipeline = Pipeline(
    "turns",
    [deploy, migrate, load_test],
    digest="sha256:b3c3684d387407865faec22914e673a183dc0d2d9fc0e6058a45275038fd92ba",
)


@flow(name="turns")
def turns(
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
    raise SystemExit(run_as_script(turns))
