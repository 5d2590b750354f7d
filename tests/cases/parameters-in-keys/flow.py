"""Prefect flow `parameters-in-keys`: 2 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path
from typing import Literal

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import (
    Pipeline,
    built_from,
    code,
    engine_volume,
    parameter,
    stage,
)

ROOT = Path(__file__).resolve().parent

test = stage(
    "test",
    image="python:3.12-slim",
    volumes=[code, engine_volume("wheels-3.12", "/wheels")],
    working_dir="/code/app",
    run="python -m pytest",
    timeout=300,
    memory=536870912,
    at="a.dockercise.yaml:9:1",
)

image = stage(
    "image",
    build=built_from(code, "app", args={"PYTHON": "3.12", "other": "$OTHER"}),
    memory=536870912,
    at="a.dockercise.yaml:15:1",
)

pipeline = Pipeline(
    "parameters-in-keys",
    [test, image],
    parameters=[
        parameter(
            "python",
            default="3.12",
            choices=["3.11", "3.12"],
            fixed=True,
            at="a.dockercise.yaml:3:5",
        ),
        parameter("room", default="512m", fixed=True, at="a.dockercise.yaml:4:5"),
        parameter("folder", default="app", fixed=True, at="a.dockercise.yaml:5:5"),
        parameter("verbose", type="boolean", default=False, at="a.dockercise.yaml:6:5"),
    ],
    digest="sha256:66dff14210f725bcd8a3ecd6908cff28705d320b965f21910ce1ec04b0f5ab8c",
)


@flow(name="parameters-in-keys")
def parameters_in_keys(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
    *,
    python: Literal["3.12"] = "3.12",
    room: Literal["512m"] = "512m",
    folder: Literal["app"] = "app",
    verbose: bool = False,
) -> RunSummary:
    """Run the pipeline, or only the targets and what they need.

    Args:
        python: (fixed when the pipeline was compiled)
        room: (fixed when the pipeline was compiled)
        folder: (fixed when the pipeline was compiled)
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
            "python": python,
            "room": room,
            "folder": folder,
            "verbose": verbose,
        },
    )


if __name__ == "__main__":
    raise SystemExit(run_as_script(parameters_in_keys))
