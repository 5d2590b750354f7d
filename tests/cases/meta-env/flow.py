"""Prefect flow `meta-env`: 6 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent

role = stage(
    "role",
    image="busybox",
    env={
        "REGION": host("REGION"),
        "MODE": "fast",
    },
    run="echo r",
    at="a.dockercise.yaml:4:1",
)

key = stage(
    "key",
    image="busybox",
    after=[role],
    env={
        "REGION": host("REGION"),
        "MODE": "fast",
    },
    run="echo k",
    at="a.dockercise.yaml:5:1",
)

secret = stage(
    "secret",
    image="busybox",
    after=[role],
    env={
        "REGION": host("REGION"),
        "MODE": "fast",
    },
    run="echo s",
    at="a.dockercise.yaml:6:1",
)

deploy = stage(
    "deploy",
    image="busybox",
    env={
        "KEY": key.value,
        "SECRET": secret.value,
        "REGION": host("REGION"),
        "MODE": "fast",
    },
    run="deploy",
    at="a.dockercise.yaml:7:1",
)

own = stage(
    "own",
    image="busybox",
    env={
        "MODE": "slow",
        "REGION": host("REGION", optional=True),
        "KEY": key.value,
        "SECRET": secret.value,
    },
    run="deploy",
    at="a.dockercise.yaml:8:1",
)

join = stage(
    "join",
    after=[deploy],
    at="a.dockercise.yaml:9:1",
)

pipeline = Pipeline(
    "meta-env",
    [role, key, secret, deploy, own, join],
    digest="sha256:93203ef9039ed74eae1f55b2319c66b9b77f6cf74f17bce0aaa38ec4d9d22ce0",
)


@flow(name="meta-env")
def meta_env(
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
    raise SystemExit(run_as_script(meta_env))
