"""Prefect flow `order-over-files`: 4 stages from 2 files.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

free = stage(
    "free",
    image="busybox",
    at="a.dockercise.yaml:2:1",
)

first = stage(
    "first",
    image="busybox",
    at="b.dockercise.yaml:2:1",
)

middle = stage(
    "middle",
    image="busybox",
    after=[first],
    at="b.dockercise.yaml:1:1",
)

last = stage(
    "last",
    image="busybox",
    after=[middle, first],
    at="a.dockercise.yaml:1:1",
)

pipeline = Pipeline(
    "order-over-files",
    [free, first, middle, last],
    digest="sha256:fa533d93ab1fe1ec10279d5d7d183b698d91878f22d7a0a5ce02d931d0180c82",
)


@flow(name="order-over-files")
def order_over_files(
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
    raise SystemExit(run_as_script(order_over_files))
