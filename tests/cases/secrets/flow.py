"""Prefect flow `secrets`: 7 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

mint = stage(
    "mint",
    image="busybox:1",
    run="echo made",
    no_log=True,
    at="a.dockercise.yaml:3:1",
)

minted = stage(
    "minted",
    no_log=True,
    at="a.dockercise.yaml:4:1",
)

api_token = stage(
    "api-token",
    image="busybox:1",
    run="cat /token",
    no_log=True,
    at="a.dockercise.yaml:5:1",
)

shown = stage(
    "shown",
    image="busybox:1",
    after=[api_token],
    run="echo public",
    no_log=False,
    at="a.dockercise.yaml:6:1",
)

public = stage(
    "public",
    image="busybox:1",
    after=[shown],
    run="echo v",
    at="a.dockercise.yaml:7:1",
)

use = stage(
    "use",
    image="busybox:1",
    env={
        "DB_PASSWORD": "correct horse",
        "KEY": mint.value,
        "LEVEL": "info",
    },
    run="deploy",
    at="a.dockercise.yaml:8:1",
)

end = stage(
    "end",
    image="busybox:1",
    after=[use],
    run="echo done",
    at="a.dockercise.yaml:12:1",
)

pipeline = Pipeline(
    "secrets",
    [mint, minted, api_token, shown, public, use, end],
    secrets=["API_TOKEN", "DB_PASSWORD", "KEY", "MINTED"],
    digest="sha256:4b6eb7eaa5a41886add7b8b779344d007cfaf7a16e8a386d4cf85b46cec9f508",
)


@flow(name="secrets")
def secrets(
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
    raise SystemExit(run_as_script(secrets))
