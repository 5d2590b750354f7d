"""Prefect flow `class`: 17 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent

class_2 = stage(
    "class",
    image="busybox",
    run="a",
    at="a.dockercise.yaml:2:1",
)

class_3 = stage(
    "class_",
    image="busybox",
    run="b",
    at="a.dockercise.yaml:3:1",
)

stage_ = stage(
    "stage",
    image="busybox",
    run="c",
    at="a.dockercise.yaml:4:1",
)

pipeline_ = stage(
    "pipeline",
    image="busybox",
    run="d",
    at="a.dockercise.yaml:5:1",
)

list_ = stage(
    "list",
    image="busybox",
    run="e",
    at="a.dockercise.yaml:6:1",
)

host_ = stage(
    "host",
    image="busybox",
    env={
        "HOME": host("HOME"),
        "CLASS": class_2.value,
    },
    run="f",
    at="a.dockercise.yaml:7:1",
)

stage_2 = stage(
    "☃",
    image="busybox",
    run="g",
    at="a.dockercise.yaml:8:1",
)

stage_3 = stage(
    "❄",
    image="busybox",
    run="h",
    at="a.dockercise.yaml:9:1",
)

a_b = stage(
    "a-b",
    image="busybox",
    run="i",
    at="a.dockercise.yaml:10:1",
)

a_b_2 = stage(
    "a.b",
    image="busybox",
    run="j",
    at="a.dockercise.yaml:11:1",
)

a_b_2_2 = stage(
    "a_b_2",
    image="busybox",
    run="k",
    at="a.dockercise.yaml:12:1",
)

gro_e = stage(
    "größe",
    image="busybox",
    after=[a_b, a_b_2, stage_2, stage_3],
    run="l",
    at="a.dockercise.yaml:13:1",
)

stage_2nd = stage(
    "2nd",
    image="busybox",
    run="m",
    at="a.dockercise.yaml:14:1",
)

it_s = stage(
    "it's",
    image="busybox",
    run="n",
    at="a.dockercise.yaml:15:1",
)

say_hi = stage(
    'say"hi"',
    image="busybox",
    run="o",
    at="a.dockercise.yaml:16:1",
)

None_ = stage(
    "None",
    image="busybox",
    run="p",
    at="a.dockercise.yaml:17:1",
)

match_ = stage(
    "match",
    image="busybox",
    run="q",
    at="a.dockercise.yaml:18:1",
)

pipeline = Pipeline(
    "class",
    [
        class_2,
        class_3,
        stage_,
        pipeline_,
        list_,
        host_,
        stage_2,
        stage_3,
        a_b,
        a_b_2,
        a_b_2_2,
        gro_e,
        stage_2nd,
        it_s,
        say_hi,
        None_,
        match_,
    ],
    digest="sha256:35a4c2c8b9d7d96233618d83d97b1f044e9f65a3681a980baed8a5c0680326f9",
)


@flow(name="class")
def class_(
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
    raise SystemExit(run_as_script(class_))
