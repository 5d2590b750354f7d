"""Prefect flow `anchors-and-merges`: 4 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

install = stage(
    "install",
    image="node",
    run="npm ci",
    user="1000",
    at="a.dockercise.yaml:5:1",
)

test = stage(
    "test",
    image="node",
    run="npm test",
    timeout=3600,
    user="1000",
    at="a.dockercise.yaml:6:1",
)

again = stage(
    "again",
    image="python",
    after=[install],
    run="npm test",
    timeout=3600,
    user="root",
    at="a.dockercise.yaml:9:1",
)

last = stage(
    "last",
    image="node",
    after=[install],
    run="npm publish",
    at="a.dockercise.yaml:10:1",
)

pipeline = Pipeline(
    "anchors-and-merges",
    [install, test, again, last],
    digest="sha256:5ca7868289a56e6e8b7a0d8ff0bedbcc79211df5f78d0ef3864b296414fc99f4",
)


@flow(name="anchors-and-merges")
def anchors_and_merges(
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
    raise SystemExit(run_as_script(anchors_and_merges))
