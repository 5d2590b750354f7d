"""Prefect flow `byte-order-mark-and-crlf`: 1 stage from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

a = stage(
    "a",
    image="busybox",
    run="""\
echo one
echo two
""",
    at="a.dockercise.yaml:1:1",
)

pipeline = Pipeline(
    "byte-order-mark-and-crlf",
    [a],
    digest="sha256:136f854908cc83409ac542a1b3097b7f4818eacfbbd02c8f09589889b42b7081",
)


@flow(name="byte-order-mark-and-crlf")
def byte_order_mark_and_crlf(
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
    raise SystemExit(run_as_script(byte_order_mark_and_crlf))
