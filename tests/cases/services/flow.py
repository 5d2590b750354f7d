"""Prefect flow `services`: 3 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import (
    Pipeline,
    built_from,
    code,
    code_folder,
    host,
    service,
    stage,
)

ROOT = Path(__file__).resolve().parent

password = stage(
    "password",
    image="alpine",
    run="echo s3cret",
    no_log=True,
    at="ci.dockercise.yaml:2:1",
)

app = stage(
    "app",
    build=built_from(code),
    run="make",
    at="ci.dockercise.yaml:3:1",
)

test = stage(
    "test",
    image="python:3.12",
    env={
        "DB_PASSWORD": password.value,
    },
    volumes=[code],
    run="pytest --db postgres://app:$DB_PASSWORD@db/app\n",
    services=[
        service(
            "db",
            "postgres:17",
            env={
                "POSTGRES_USER": "app",
                "POSTGRES_PASSWORD": password.value,
            },
            ready="pg_isready -U app",
            memory=536870912,
            at="ci.dockercise.yaml:11:5",
        ),
        service(
            "web",
            app,
            run="""\
./serve --port 80
echo ended""",
            env={
                "TOKEN": host("TOKEN"),
                "MODE": "fast",
            },
            volumes=[code_folder("config").at("/etc/app"), password.volume],
            ready="""\
wget -qO- http://localhost/ready
test -e /tmp/ready
""",
            ready_timeout=120,
            user="1000",
            cpus=0.5,
            at="ci.dockercise.yaml:18:5",
        ),
        service(
            "cache",
            "redis:7",
            at="ci.dockercise.yaml:32:5",
        ),
        service(
            "queue",
            "rabbitmq:4",
            ready_timeout=90,
            at="ci.dockercise.yaml:33:5",
        ),
    ],
    at="ci.dockercise.yaml:4:1",
)

pipeline = Pipeline(
    "services",
    [password, app, test],
    secrets=["DB_PASSWORD"],
    digest="sha256:12bf98884a3376aa209a89ba3ea1c5795f6e14bebb05979df8fb9475e377d062",
)


@flow(name="services")
def services(
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
    raise SystemExit(run_as_script(services))
