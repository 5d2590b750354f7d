"""Prefect flow `mounts-nearly-of-stages`: 4 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, bind, engine_volume, stage

ROOT = Path(__file__).resolve().parent

build = stage(
    "build",
    image="busybox",
    run="touch $OUT/a",
    at="a.dockercise.yaml:1:1",
)

cache_ = stage(
    "cache",
    image="busybox",
    volumes=[bind("/cache", "/x")],
    run="ls",
    at="a.dockercise.yaml:2:1",
)

slips = stage(
    "slips",
    image="busybox",
    volumes=[
        bind("/build", "/a"),
        bind("/build/dist", "/b", "ro"),
        engine_volume("biuld", "/c"),
        engine_volume("Build", "/d"),
    ],
    run="ls",
    at="a.dockercise.yaml:3:1",
)

meant = stage(
    "meant",
    image="busybox",
    volumes=[
        bind("/build", "/a"),
        bind("/builds", "/b"),
        bind("/srv/build", "/c"),
        bind("./build", "/d"),
        engine_volume("builds", "/e"),
        engine_volume("build2", "/f"),
        build.volume.at("/g"),
    ],
    run="ls",
    at="a.dockercise.yaml:11:1",
)

pipeline = Pipeline(
    "mounts-nearly-of-stages",
    [build, cache_, slips, meant],
    digest="sha256:083884929515c38ed965d3643b7861016aa33346a861b488bf03d8cc2eed25d7",
)


@flow(name="mounts-nearly-of-stages")
def mounts_nearly_of_stages(
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
    raise SystemExit(run_as_script(mounts_nearly_of_stages))
