"""Prefect flow `parameters`: 3 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path
from typing import Literal

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import ParameterValue, Pipeline, parameter, stage

ROOT = Path(__file__).resolve().parent

build = stage(
    "build",
    image="busybox",
    env={
        "RELEASE": ParameterValue("release"),
    },
    run='echo "$RELEASE" > "$OUT/release"',
    at="a.dockercise.yaml:15:1",
)

deploy = stage(
    "deploy",
    image="busybox",
    env={
        "DRY_RUN": ParameterValue("dry_run"),
        "NOTE": ParameterValue("note"),
        "RATIO": ParameterValue("ratio"),
        "ATTEMPTS": ParameterValue("attempts"),
        "TARGET": ParameterValue("target"),
    },
    volumes=[build.volume],
    run="""\
for try in $(seq $ATTEMPTS); do
  echo "to $TARGET: $NOTE" && break
done
""",
    at="a.dockercise.yaml:18:1",
)

silent = stage(
    "silent",
    image="busybox",
    run='echo "$TARGET"',
    at="a.dockercise.yaml:26:1",
)

pipeline = Pipeline(
    "parameters",
    [build, deploy, silent],
    parameters=[
        parameter(
            "target",
            default="staging",
            choices=["staging", "production"],
            description="Where to deploy to.",
            at="a.dockercise.yaml:3:5",
        ),
        parameter("release", default="1.10", at="a.dockercise.yaml:7:5"),
        parameter("attempts", type="integer", default=3, at="a.dockercise.yaml:8:5"),
        parameter("ratio", type="number", default=0.5, at="a.dockercise.yaml:9:5"),
        parameter("dry_run", type="boolean", default=True, at="a.dockercise.yaml:10:5"),
        parameter(
            "note",
            description='A text for the log,\nwith "quotes".\n',
            at="a.dockercise.yaml:11:5",
        ),
    ],
    digest="sha256:0172892c96da574eab8140bee4bddb5a9d9a082b527f0c36deb31c328e1773ac",
)


@flow(name="parameters")
def parameters(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
    *,
    target: Literal["staging", "production"] = "staging",
    release: str = "1.10",
    attempts: int = 3,
    ratio: float = 0.5,
    dry_run: bool = True,
    note: str,
) -> RunSummary:
    """Run the pipeline, or only the targets and what they need.

    Args:
        target: Where to deploy to.
        note: A text for the log, with "quotes".
    """
    return run_pipeline(
        pipeline,
        root=ROOT,
        targets=targets,
        env=env,
        commit=commit,
        results=results,
        resume=resume,
        parameters={
            "target": target,
            "release": release,
            "attempts": attempts,
            "ratio": ratio,
            "dry_run": dry_run,
            "note": note,
        },
    )


if __name__ == "__main__":
    raise SystemExit(run_as_script(parameters))
