"""Prefect flow `entrypoint`: 4 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, stage

ROOT = Path(__file__).resolve().parent

own = stage(
    "own",
    image="alpine/git",
    volumes=[code],
    working_dir="/code",
    run="describe --tags",
    entrypoint=[],
    at="a.dockercise.yaml:1:1",
)

named = stage(
    "named",
    image="busybox",
    run='--not-an-option "two words" $HOME',
    entrypoint=["echo"],
    at="a.dockercise.yaml:2:1",
)

listed = stage(
    "listed",
    image="busybox",
    run="""\
first
"a b\"""",
    entrypoint=["printf", "%s\\n"],
    at="a.dockercise.yaml:3:1",
)

after_it = stage(
    "after-it",
    image="busybox",
    run="/named/file",
    entrypoint=["cat"],
    at="a.dockercise.yaml:9:1",
)

pipeline = Pipeline(
    "entrypoint",
    [own, named, listed, after_it],
    digest="sha256:bbd599875f83b6e403886d4aeb754b6ba5f5200a7e07280c18f6a2e3e7066142",
)


@flow(name="entrypoint")
def entrypoint(
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
    raise SystemExit(run_as_script(entrypoint))
