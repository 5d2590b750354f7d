"""Prefect flow `settings`: 4 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

everything = stage(
    "everything",
    image="registry.example:5000/team/image:1.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    working_dir="/src",
    timeout=5400,
    no_log=True,
    never_fail=True,
    triggers=["src/**", "*.md"],
    user="1000",
    network="none",
    pull="always",
    platform="linux/arm64/v8",
    cpus=1.5,
    memory=536870912,
    at="a.dockercise.yaml:1:1",
)

as_by_default = stage(
    "as-by-default",
    image="busybox",
    no_log=False,
    triggers=["src"],
    at="a.dockercise.yaml:14:1",
)

seconds = stage(
    "seconds",
    image="busybox",
    timeout=90,
    user="1000:100",
    network="host",
    pull="never",
    cpus=2,
    memory=2147483648,
    at="a.dockercise.yaml:22:1",
)

fractions = stage(
    "fractions",
    image="busybox",
    timeout=0.5,
    memory=1610612736,
    at="a.dockercise.yaml:23:1",
)

pipeline = Pipeline(
    "settings",
    [everything, as_by_default, seconds, fractions],
    digest="sha256:1123892831e57dd58ba05bf227474a8b0e92211a40b1160e1d8717c83095420c",
)


@flow(name="settings")
def settings(
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
    raise SystemExit(run_as_script(settings))
