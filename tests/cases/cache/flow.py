"""Prefect flow `cached`: 10 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, bind, built_from, cache, code, stage

ROOT = Path(__file__).resolve().parent

fetch = stage(
    "fetch",
    image="alpine",
    run="wget https://example.com/data",
    cache=cache(max_age=129600),
    at="ci.dockercise.yaml:6:1",
)

build = stage(
    "build",
    image="alpine",
    on=code,
    run="make",
    cache=cache(max_age=1800, salt="2", also=["VERSION", "docs/**"]),
    at="ci.dockercise.yaml:9:1",
)

check = stage(
    "check",
    image="alpine",
    volumes=[build.volume],
    run="make check",
    cache=True,
    at="ci.dockercise.yaml:14:1",
)

measure = stage(
    "measure",
    image="alpine",
    run="date",
    at="ci.dockercise.yaml:19:1",
)

image = stage(
    "image",
    build=built_from(code, "build", target="app"),
    at="ci.dockercise.yaml:24:1",
)

tools = stage(
    "tools",
    image="alpine",
    run="apk add make",
    at="ci.dockercise.yaml:27:1",
)

test = stage(
    "test",
    image=tools,
    run="make test",
    cache=True,
    at="ci.dockercise.yaml:29:1",
)

login = stage(
    "login",
    image="alpine",
    run="cat /root/.netrc",
    no_log=True,
    at="ci.dockercise.yaml:33:1",
)

disk = stage(
    "disk",
    image="alpine",
    volumes=[bind("/var/lib/data", "/data")],
    run="df",
    at="ci.dockercise.yaml:36:1",
)

notify = stage(
    "notify",
    image="alpine",
    run="echo done",
    when="always",
    at="ci.dockercise.yaml:39:1",
)

pipeline = Pipeline(
    "cached",
    [fetch, build, check, measure, image, tools, test, login, disk, notify],
    digest="sha256:0d313aba2f01ad2ca01de54a9c9284527c1b8c9ae5d7d1bc149037da535fd129",
)


@flow(name="cached")
def cached(
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
    raise SystemExit(run_as_script(cached))
