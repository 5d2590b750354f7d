"""Prefect flow `infra`: 7 stages from 2 files.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, host, stage

ROOT = Path(__file__).resolve().parent / "infra"

assume_role = stage(
    "assume-role",
    image="pebbletech/docker-aws-cli",
    run="aws sts assume-role --role-arn arn:aws:iam::327070154264:role/AssumeThis --role-session-name deploy",
    at="aws-credentials.dockercise.yaml:1:1",
)

aws_access_key_id = stage(
    "aws_access_key_id",
    image="pebbletech/docker-aws-cli",
    after=[assume_role],
    run="cat out/assume-role | jq -r .Credentials.AccessKeyId",
    at="aws-credentials.dockercise.yaml:4:1",
)

aws_secret_access_key = stage(
    "aws_secret_access_key",
    image="pebbletech/docker-aws-cli",
    after=[assume_role],
    run="cat out/assume-role | jq -r .Credentials.SecretAccessKey",
    at="aws-credentials.dockercise.yaml:8:1",
)

aws_session_token = stage(
    "aws_session_token",
    image="pebbletech/docker-aws-cli",
    after=[assume_role],
    run="cat out/assume-role | jq -r .Credentials.SessionToken",
    at="aws-credentials.dockercise.yaml:12:1",
)

get_code = stage(
    "get-code",
    image="bravissimolabs/alpine-git",
    run="git clone -b master --single-branch https://github.com/distributedlife/dockercise.git get-code",
    at="example.dockercise.yaml:1:1",
)

create_stack = stage(
    "create-stack",
    image="pebbletech/docker-aws-cli",
    env={
        "AWS_ACCESS_KEY_ID": aws_access_key_id.value,
        "AWS_SECRET_ACCESS_KEY": aws_secret_access_key.value,
        "AWS_SESSION_TOKEN": aws_session_token.value,
        "AWS_DEFAULT_REGION": host("AWS_DEFAULT_REGION"),
    },
    volumes=[get_code.volume],
    run="aws cloudformation create-stack --stack-name infra --template-body file://get-code/example.yaml",
    at="example.dockercise.yaml:4:1",
)

wait_for_success = stage(
    "wait-for-success",
    image="pebbletech/docker-aws-cli",
    after=[create_stack],
    env={
        "AWS_ACCESS_KEY_ID": aws_access_key_id.value,
        "AWS_SECRET_ACCESS_KEY": aws_secret_access_key.value,
        "AWS_SESSION_TOKEN": aws_session_token.value,
        "AWS_DEFAULT_REGION": host("AWS_DEFAULT_REGION"),
    },
    run="aws cloudformation wait stack-create-complete --stack-name infra",
    at="example.dockercise.yaml:13:1",
)

pipeline = Pipeline(
    "infra",
    [
        assume_role,
        aws_access_key_id,
        aws_secret_access_key,
        aws_session_token,
        get_code,
        create_stack,
        wait_for_success,
    ],
    digest="sha256:c957453ef552c60d487015b2d11056c564e369f412b6134d076d4ddec968bbf3",
)


@flow(name="infra")
def infra(
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
    raise SystemExit(run_as_script(infra))
