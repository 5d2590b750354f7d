"""Prefect flow `builds`: 7 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, built_from, code, stage

ROOT = Path(__file__).resolve().parent

base = stage(
    "base",
    build=built_from(code),
    at="a.dockercise.yaml:1:1",
)

app = stage(
    "app",
    build=built_from(code, "app"),
    run="app --version",
    at="a.dockercise.yaml:4:1",
)

tools = stage(
    "tools",
    build=built_from(
        code,
        "tools",
        dockerfile="docker/Dockerfile.ci",
        args={"VERSION": "1.10", "GREETING": 'it is "quoted"'},
        target="test",
    ),
    pull="always",
    at="a.dockercise.yaml:8:1",
)

checkout = stage(
    "checkout",
    image="alpine/git",
    run="git clone . checkout",
    at="a.dockercise.yaml:16:1",
)

from_a_volume = stage(
    "from-a-volume",
    build=built_from(checkout, "app"),
    at="a.dockercise.yaml:18:1",
)

whole_volume = stage(
    "whole-volume",
    build=built_from(
        checkout,
        args={
            "A-VERY-LONG-NAME-OF-AN-ARGUMENT": "and its value",
            "ANOTHER-LONG-NAME-OF-AN-ARGUMENT": "and its",
        },
    ),
    volumes=[checkout.volume],
    run="ls checkout",
    at="a.dockercise.yaml:21:1",
)

from_code = stage(
    "from-code",
    build=built_from(code, "app"),
    at="a.dockercise.yaml:26:1",
)

pipeline = Pipeline(
    "builds",
    [base, app, tools, checkout, from_a_volume, whole_volume, from_code],
    digest="sha256:572adb141103e33957713476ac8c464bf8875caae4ae1023db9fe6532492d66a",
)


@flow(name="builds")
def builds(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
) -> RunSummary:
    """Run the pipeline, or only the targets and what they need."""
    return run_pipeline(
        pipeline,
        root=ROOT,
        targets=targets,
        env=env,
        commit=commit,
        results=results,
    )


if __name__ == "__main__":
    raise SystemExit(run_as_script(builds))
