"""Prefect flow `shop`: 2 stages from 2 files.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent

b = stage(
    "b",
    image="busybox",
    env={
        "REGION": host("REGION"),
        "STAGE_NAME": "test",
    },
    run="echo b",
    triggers=["src/**", "docs/**"],
    network="host",
    pull="never",
    platform="linux/amd64",
    at="a.dockercise.yaml:6:1",
)

a = stage(
    "a",
    image="busybox",
    env={
        "REGION": host("REGION"),
        "STAGE_NAME": "test",
        "VALUE": b.value,
    },
    run="echo a",
    triggers=["src/**", "docs/**"],
    network="none",
    pull="never",
    platform="linux/amd64",
    at="z/b.dockercise.yaml:7:1",
)

pipeline = Pipeline(
    "shop",
    [b, a],
    tags=["nightly", "shop"],
    digest="sha256:e23582d756b09e12932a4ca88c32ef933a8d2276174d6415208eb8a591f7e1b7",
)


@flow(name="shop")
def shop(
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
    raise SystemExit(run_as_script(shop))
