"""Prefect flow `secret-files`: 2 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent

push = stage(
    "push",
    image="busybox",
    env={
        "/root/.netrc": host("NETRC"),
        "/run/secrets/key": host("ssh_key", optional=True),
    },
    run="cat /root/.netrc",
    at="a.dockercise.yaml:1:1",
)

after_it = stage(
    "after-it",
    image="busybox",
    after=[push],
    run="echo",
    at="a.dockercise.yaml:7:1",
)

pipeline = Pipeline(
    "secret-files",
    [push, after_it],
    digest="sha256:94c3a89d0d4947d463ce003b4d52ef430d9a92fd080e0211025c0603ba40e2ab",
)


@flow(name="secret-files")
def secret_files(
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
    raise SystemExit(run_as_script(secret_files))
