"""Prefect flow `empty-files`: 0 stages from 0 files.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline

ROOT = Path(__file__).resolve().parent

pipeline = Pipeline(
    "empty-files",
    [],
    digest="sha256:aae8c1150b661261a999d866818b8eed9459ddbd99ae84116680e98f53fae9c7",
)


@flow(name="empty-files")
def empty_files(
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
    raise SystemExit(run_as_script(empty_files))
