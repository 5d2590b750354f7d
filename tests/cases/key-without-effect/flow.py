"""Prefect flow `key-without-effect`: 1 stage from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

join = stage(
    "join",
    timeout=300,
    user="root",
    at="a.dockercise.yaml:1:1",
)

pipeline = Pipeline(
    "key-without-effect",
    [join],
    digest="sha256:10a50c1da5ca793072fffe0147a78a84bac194f7f86848b08308a1f18536f514",
)


@flow(name="key-without-effect")
def key_without_effect(
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
    raise SystemExit(run_as_script(key_without_effect))
