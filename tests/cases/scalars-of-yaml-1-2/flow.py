"""Prefect flow `scalars-of-yaml-1-2`: 4 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

off = stage(
    "off",
    image="busybox",
    run="echo",
    at="a.dockercise.yaml:1:1",
)

y = stage(
    "y",
    image="busybox",
    run="yes",
    at="a.dockercise.yaml:2:1",
)

stage_ = stage(
    "stage",
    image="busybox",
    after=[off],
    env={
        "TIME": "22:22",
        "OCTAL": "010",
        "HEX": "0x10",
        "PLUS": "+1",
        "EXP": "1e3",
        "DATE": "2026-11-22",
        "N": "n",
        "NO": "NO",
        "TILDE": "~",
    },
    on=y,
    run="echo",
    at="a.dockercise.yaml:3:1",
)

stage_1_10 = stage(
    "1.10",
    image="busybox",
    run="echo a name like a number",
    at="a.dockercise.yaml:9:1",
)

pipeline = Pipeline(
    "scalars-of-yaml-1-2",
    [off, y, stage_, stage_1_10],
    digest="sha256:0858f24e750eed84f46d0247fc0543a7805233d0bc4c55a6750add7906ad8116",
)


@flow(name="scalars-of-yaml-1-2")
def scalars_of_yaml_1_2(
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
    raise SystemExit(run_as_script(scalars_of_yaml_1_2))
