"""Prefect flow `lifecycle`: 8 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import (
    Pipeline,
    code,
    concurrency,
    retries,
    stage,
    when,
)

ROOT = Path(__file__).resolve().parent

is_release = stage(
    "is-release",
    image="alpine",
    volumes=[code],
    run="grep -q release /code/VERSION",
    retries=0,
    stop_grace=30,
    at="ci.dockercise.yaml:10:1",
)

fetch = stage(
    "fetch",
    image="alpine",
    run="wget https://example.com/data",
    retries=retries(3, delay=10, backoff=2, on=[1, "timeout", "error"]),
    stop_grace=30,
    at="ci.dockercise.yaml:14:1",
)

test = stage(
    "test",
    image="alpine",
    volumes=[fetch.volume],
    run="""\
set -o pipefail
cat /fetch/data | wc -l
""",
    retries=1,
    stop_grace=30,
    interpreter=["bash", "-e", "-u"],
    at="ci.dockercise.yaml:18:1",
)

report = stage(
    "report",
    image="alpine",
    after=[test],
    run='print("a stage in Python")',
    retries=1,
    stop_grace=30,
    interpreter=["python3"],
    at="ci.dockercise.yaml:24:1",
)

deploy = stage(
    "deploy",
    image="alpine",
    after=[test],
    only_if=[is_release],
    run="./deploy",
    when=when(
        branch=["main", "release/*", "!release/old"],
        event=["push", "tag"],
        changed=["src/**"],
    ),
    retries=1,
    stop_grace=30,
    at="ci.dockercise.yaml:29:1",
)

preview = stage(
    "preview",
    image="alpine",
    unless=[is_release],
    run="./preview",
    when=when(tag=["v*"]),
    retries=1,
    stop_grace=30,
    at="ci.dockercise.yaml:38:1",
)

notify = stage(
    "notify",
    image="alpine",
    env={
        "DEPLOY": deploy.value,
    },
    run='echo "$DEPLOY"',
    when="failure",
    retries=1,
    stop_grace=30,
    at="ci.dockercise.yaml:43:1",
)

clean = stage(
    "clean",
    image="alpine",
    after=[deploy],
    run="rm -rf /data",
    when=when(status="always", branch=["main"]),
    retries=1,
    stop_grace=30,
    at="ci.dockercise.yaml:47:1",
)

pipeline = Pipeline(
    "lifecycle",
    [is_release, fetch, test, report, deploy, preview, notify, clean],
    timeout=5400,
    cleanup_grace=120,
    cleanup_after_crash=True,
    concurrency=concurrency(2, group="release", overlap="cancel"),
    digest="sha256:673b43023ce3c9ad3950826c3599233ec893e1c945d15e9fffc4ae00ecff92d2",
)


@flow(name="lifecycle")
def lifecycle(
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
    raise SystemExit(run_as_script(lifecycle))
