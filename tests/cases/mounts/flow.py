"""Prefect flow `mounts`: 6 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import (
    Pipeline,
    bind,
    code,
    code_folder,
    engine_volume,
    stage,
)

ROOT = Path(__file__).resolve().parent

a = stage(
    "a",
    image="busybox",
    run="touch $OUT/a",
    at="a.dockercise.yaml:1:1",
)

b = stage(
    "b",
    image="busybox",
    run="touch $OUT/b",
    at="a.dockercise.yaml:2:1",
)

everything = stage(
    "everything",
    image="busybox",
    volumes=[
        a.volume,
        b.volume.at("/elsewhere"),
        code.at("/src"),
        bind("/var/run/docker.sock", "/var/run/docker.sock"),
        bind("/etc/ssl/certs", "/etc/ssl/certs", "ro"),
        bind("./fixtures", "/fixtures"),
        bind("./", "/all", "ro"),
        engine_volume("go-cache", "/root/.cache/go"),
        engine_volume("pip_cache", "/root/.cache/pip", "ro"),
    ],
    run="ls",
    at="a.dockercise.yaml:3:1",
)

folders_of_the_code = stage(
    "folders-of-the-code",
    image="busybox",
    volumes=[
        code_folder("app"),
        code_folder("lib/x").at("/x"),
        code_folder("b").at("/y"),
        code,
    ],
    run="cat /code/app/f",
    at="a.dockercise.yaml:16:1",
)

code_and_twice_the_same = stage(
    "code-and-twice-the-same",
    image="busybox",
    volumes=[code, a.volume],
    run="ls",
    at="a.dockercise.yaml:17:1",
)

text = stage(
    "text",
    image="busybox",
    volumes=[a.volume],
    run="ls",
    at="a.dockercise.yaml:18:1",
)

pipeline = Pipeline(
    "mounts",
    [a, b, everything, folders_of_the_code, code_and_twice_the_same, text],
    digest="sha256:6a084ba7a5e67ca0791388608b4a9ab42a78fa9d14fa77efce3e6b1d9509efeb",
)


@flow(name="mounts")
def mounts(
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
    raise SystemExit(run_as_script(mounts))
