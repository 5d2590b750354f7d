"""Prefect flow `image-of-a-stage`: 5 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, built_from, code, stage

ROOT = Path(__file__).resolve().parent

build_it = stage(
    "build-it",
    build=built_from(code, "docker"),
    at="a.dockercise.yaml:1:1",
)

in_built = stage(
    "in-built",
    image=build_it,
    run="ls",
    at="a.dockercise.yaml:4:1",
)

alpine = stage(
    "alpine",
    image="alpine",
    at="a.dockercise.yaml:5:1",
)

base = stage(
    "base",
    image=alpine,
    run="apk add jq",
    at="a.dockercise.yaml:2:1",
)

derived = stage(
    "derived",
    image=base,
    env={
        "BASE": base.value,
    },
    run="jq --version",
    at="a.dockercise.yaml:3:1",
)

pipeline = Pipeline(
    "image-of-a-stage",
    [build_it, in_built, alpine, base, derived],
    digest="sha256:d88d661c58aae45ec1220e7bfb57504692cfa5c44b276d23ddd8fc68f691cda4",
)


@flow(name="image-of-a-stage")
def image_of_a_stage(
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
    raise SystemExit(run_as_script(image_of_a_stage))
