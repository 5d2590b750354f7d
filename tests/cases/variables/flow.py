"""Prefect flow `variables`: 7 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent

assume_role = stage(
    "assume-role",
    image="busybox",
    run="echo role",
    at="a.dockercise.yaml:1:1",
)

version = stage(
    "version",
    image="busybox",
    run="echo 1.0",
    at="a.dockercise.yaml:2:1",
)

stage_2nd = stage(
    "2nd",
    image="busybox",
    run="echo two",
    at="a.dockercise.yaml:3:1",
)

list_ = stage(
    "list",
    image="busybox",
    env={
        "ASSUME_ROLE": assume_role.value,
        "HOME": host("home"),
        "HTTP_PROXY": host("http_proxy"),
        "TOKEN": host("TOKEN", optional=True),
        "GREETING": "hello world",
        "EMPTY": "",
        "MATH": "1+1=2",
        "discovery.type": "single",
    },
    run="env",
    at="a.dockercise.yaml:4:1",
)

single = stage(
    "single",
    image="busybox",
    env={
        "VERSION": version.value,
    },
    run="env",
    at="a.dockercise.yaml:8:1",
)

twice_the_same = stage(
    "twice-the-same",
    image="busybox",
    env={
        "VERSION": version.value,
        "HOME": host("HOME"),
    },
    run="env",
    at="a.dockercise.yaml:9:1",
)

mapping = stage(
    "mapping",
    image="busybox",
    env={
        "TEXT": "hello",
        "VERSION": "1.10",
        "OCTAL": "0755",
        "YES": "yes",
        "BOOL": "true",
        "TIME": "22:22",
        "EMPTY": "",
        "lower": "as written",
        "SECOND": stage_2nd.value,
        "PATH": version.value,
    },
    run="env",
    at="a.dockercise.yaml:10:1",
)

pipeline = Pipeline(
    "variables",
    [assume_role, version, stage_2nd, list_, single, twice_the_same, mapping],
    digest="sha256:ac1b6e9b987bc76caeb58536bc1d4702873d893c2728953a48ca06ca76c9305c",
)


@flow(name="variables")
def variables(
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
    raise SystemExit(run_as_script(variables))
