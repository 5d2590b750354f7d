"""Prefect flow `git-history`: 1 stage from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, history, stage

ROOT = Path(__file__).resolve().parent

history_ = stage(
    "history",
    image="busybox",
    volumes=[code],
    run="git -C /code describe",
    at="a.dockercise.yaml:2:1",
)

pipeline = Pipeline(
    "git-history",
    [history_],
    history=history(0),
    digest="sha256:85a8963b290f4052e65f7d59439bf7c5e6f9752b9b3bc3d5fb5e50d37e7bcfed",
)


@flow(name="git-history")
def git_history(
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
    raise SystemExit(run_as_script(git_history))
