"""Prefect flow `builds`: 10 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, built_from, code, host, stage

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

token = stage(
    "token",
    image="busybox",
    run="print a token",
    no_log=True,
    at="a.dockercise.yaml:28:1",
)

with_secrets = stage(
    "with-secrets",
    build=built_from(code, "app", secrets=["NPM_TOKEN", "TOKEN", "EXTRA"]),
    env={
        "NPM_TOKEN": host("NPM_TOKEN"),
        "TOKEN": token.value,
        "EXTRA": host("extra", optional=True),
    },
    at="a.dockercise.yaml:30:1",
)

renamed_secret = stage(
    "renamed-secret",
    build=built_from(code, "app", secrets=["REGISTRY"]),
    env={
        "NPM_TOKEN": host("NPM_TOKEN"),
        "REGISTRY": token.value,
    },
    run="app",
    at="a.dockercise.yaml:33:1",
)

pipeline = Pipeline(
    "builds",
    [
        base,
        app,
        tools,
        checkout,
        from_a_volume,
        whole_volume,
        from_code,
        token,
        with_secrets,
        renamed_secret,
    ],
    secrets=["EXTRA", "NPM_TOKEN", "REGISTRY", "TOKEN"],
    digest="sha256:2fce74c4c42eb1a59b68f4e954d2f550950a9dff5a03c11961f014c9b86aeb27",
)


@flow(name="builds")
def builds(
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
    raise SystemExit(run_as_script(builds))
