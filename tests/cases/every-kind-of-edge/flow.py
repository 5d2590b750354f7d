"""Prefect flow `every-kind-of-edge`: 7 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, stage

ROOT = Path(__file__).resolve().parent

build_it = stage(
    "build-it",
    image="busybox",
    run="echo 1.2.3 | tee $OUT/version",
    at="a.dockercise.yaml:1:1",
)

lint = stage(
    "lint",
    image="busybox",
    volumes=[code],
    run="ls code",
    at="a.dockercise.yaml:4:1",
)

test = stage(
    "test",
    image="busybox",
    after=[lint, build_it],
    volumes=[build_it.volume],
    run="grep . build-it/version",
    at="a.dockercise.yaml:8:1",
)

patch = stage(
    "patch",
    image="busybox",
    on=build_it,
    run="echo patched >> version",
    at="a.dockercise.yaml:13:1",
)

publish = stage(
    "publish",
    image="busybox",
    after=[test],
    env={
        "BUILD_IT": build_it.value,
    },
    volumes=[patch.volume, build_it.volume],
    run='echo "$BUILD_IT"; cat patch/version',
    at="a.dockercise.yaml:17:1",
)

copy = stage(
    "copy",
    image="busybox",
    on=code,
    run="touch new",
    at="a.dockercise.yaml:23:1",
)

done = stage(
    "done",
    after=[publish, copy],
    at="a.dockercise.yaml:27:1",
)

pipeline = Pipeline(
    "every-kind-of-edge",
    [build_it, lint, test, patch, publish, copy, done],
    digest="sha256:8f65bc75be2c86cf988faf16e3414a217612e27f257759eda7efc4f1ee753871",
)


@flow(name="every-kind-of-edge")
def every_kind_of_edge(
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
    raise SystemExit(run_as_script(every_kind_of_edge))
