"""Prefect flow `image-and-script`: 6 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

both = stage(
    "both",
    image="busybox",
    run="echo hi",
    at="a.dockercise.yaml:1:1",
)

only_image = stage(
    "only-image",
    image="hello-world",
    at="a.dockercise.yaml:2:1",
)

neither = stage(
    "neither",
    at="a.dockercise.yaml:3:1",
)

empty = stage(
    "empty",
    at="a.dockercise.yaml:4:1",
)

joins = stage(
    "joins",
    after=[both, only_image],
    at="a.dockercise.yaml:5:1",
)

alpine = stage(
    "alpine",
    image="alpine",
    run="echo the image of that name",
    at="a.dockercise.yaml:6:1",
)

pipeline = Pipeline(
    "image-and-script",
    [both, only_image, neither, empty, joins, alpine],
    digest="sha256:aca70c8c8df1e052378810a10e2a386098fc3550dfe5cc5bb7e1775be06110bd",
)


@flow(name="image-and-script")
def image_and_script(
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
    raise SystemExit(run_as_script(image_and_script))
