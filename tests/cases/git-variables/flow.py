"""Prefect flow `git-variables`: 5 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent

tag = stage(
    "tag",
    image="busybox",
    env={
        "DOCKERCISE_TAG": host("DOCKERCISE_TAG", optional=True),
        "DOCKERCISE_MESSAGE": host("DOCKERCISE_MESSAGE", optional=True),
        "DOCKERCISE_AUTHOR": host("DOCKERCISE_AUTHOR", optional=True),
        "DOCKERCISE_REPOSITORY": host("DOCKERCISE_REPOSITORY", optional=True),
    },
    run="""\
DOCKERCISE_EVENT=mine
echo "$DOCKERCISE_TAG ${DOCKERCISE_MESSAGE:-none} '$DOCKERCISE_AUTHOR' $DOCKERCISE_EVENT" '$DOCKERCISE_PREVIOUS'
""",
    at="a.dockercise.yaml:2:1",
)

written = stage(
    "written",
    image="busybox",
    env={
        "DOCKERCISE_COMMIT": host("DOCKERCISE_COMMIT", optional=True),
        "DOCKERCISE_BRANCH": host("DOCKERCISE_BRANCH", optional=True),
        "DOCKERCISE_REPOSITORY": host("DOCKERCISE_REPOSITORY", optional=True),
    },
    run="env",
    at="a.dockercise.yaml:7:1",
)

sourced = stage(
    "sourced",
    image="busybox",
    env={
        "DOCKERCISE_BRANCH": host("DOCKERCISE_BRANCH", optional=True),
        "DOCKERCISE_REPOSITORY": host("DOCKERCISE_REPOSITORY", optional=True),
    },
    run=". ./settings; echo $DOCKERCISE_BRANCH",
    at="a.dockercise.yaml:8:1",
)

silent = stage(
    "silent",
    image="busybox",
    env={
        "DOCKERCISE_REPOSITORY": host("DOCKERCISE_REPOSITORY", optional=True),
    },
    run="echo $DOCKERCISE_BRANCH",
    at="a.dockercise.yaml:9:1",
)

clean_up = stage(
    "clean-up",
    image="busybox",
    env={
        "DOCKERCISE_STATUS": host("DOCKERCISE_STATUS", optional=True),
        "DOCKERCISE_FAILED": host("DOCKERCISE_FAILED", optional=True),
        "DOCKERCISE_REPOSITORY": host("DOCKERCISE_REPOSITORY", optional=True),
    },
    run='echo "$DOCKERCISE_STATUS: $DOCKERCISE_FAILED"',
    at="a.dockercise.yaml:10:1",
)

pipeline = Pipeline(
    "git-variables",
    [tag, written, sourced, silent, clean_up],
    digest="sha256:192600514a991e8e8119941fce0c25848b5f7e52167876e67fcd5b39d3e02241",
)


@flow(name="git-variables")
def git_variables(
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
    raise SystemExit(run_as_script(git_variables))
