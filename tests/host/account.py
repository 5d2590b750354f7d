"""What the stack makes in an account, as far as the host uses it, in an AWS that a machine of the tests can reach."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dockercise_prefect.aws.names import StackNames, repository_name
from dockercise_prefect.aws.parameters import HostConfig, StackParameters
from dockercise_prefect.aws.repository import RepositoryOptions, StackRepository
from tests.host.queues import Queues
from tests.support.aws.instance import PACKAGE
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws, running_aws
from tests.support.bridge import bridge_address
from tests.webhook.payloads import SECRET

STACK = "dockercise-t"
ADDRESS = "https://github.com/acme/infra"
NAME = repository_name(ADDRESS)


@dataclass(frozen=True)
class Account:
    """An account with a stack.

    Attributes:
        aws: the AWS.
        queues: the queues of the stack.
        parameters: the parameters of the stack.
        config: what the host must know.
    """

    aws: Aws
    queues: Queues
    parameters: StackParameters
    config: HostConfig

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which programs reach this account."""
        return {
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
            "AWS_DEFAULT_REGION": REGION,
        }

    def add_repository(self, url: str, **options: object) -> None:
        """Store a repository with the address `ADDRESS`, as the command line does."""
        chosen = RepositoryOptions(**options)  # type: ignore[arg-type]  # the options of the test
        repository = StackRepository(url=url, address=ADDRESS, webhook_secret=SECRET, options=chosen)
        self.parameters.save_repository(NAME, repository)
        self.parameters.save_secret(NAME, SECRET)

    def summaries(self) -> list[dict[str, object]]:
        """The summaries of all recorded runs, the oldest first."""
        objects = self.aws.objects(self.config.bucket)
        found = {key: content for key, content in objects.items() if key.endswith("/summary.json")}
        return [json.loads(found[key]) for key in sorted(found)]


@contextmanager
def account() -> Iterator[Account]:
    """An account with an empty stack, whose host sleeps as soon as nothing is left to do."""
    with running_aws(bridge_address()) as aws:
        queues = Queues.make(aws)
        aws.bucket("stack-bucket")
        names = StackNames(STACK)
        for group in (names.log_group, names.host_log_group):
            aws.client("logs").create_log_group(logGroupName=group)
        config = HostConfig(
            stack=STACK,
            region=REGION,
            queue=queues.queue,
            lost=queues.lost,
            bucket="stack-bucket",
            volume="vol-0123456789abcdef0",
            log_group=names.log_group,
            host_log_group=names.host_log_group,
            idle_minutes=0,
            prefect_api_url="",
            package=PACKAGE,
        )
        ssm = aws.client("ssm")
        ssm.put_parameter(Name=names.parameter("host"), Type="String", Value=config.to_text())
        yield Account(aws, queues, StackParameters(ssm, names), config)
