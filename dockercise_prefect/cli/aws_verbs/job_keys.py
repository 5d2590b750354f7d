"""`aws job-keys`: what sshd on a host asks."""

from __future__ import annotations

import click


@click.command("job-keys")
@click.option("--stack", metavar="STACK", required=True, help="The stack of the host.")
@click.option("--region", metavar="REGION", required=True, help="The region of the stack.")
def job_keys(stack: str, region: str) -> None:
    """Print the keys that open this host for jobs now, as sshd expects them.

    sshd runs this on the host, as `AuthorizedKeysCommand` for the user `dockercise-job`.
    """
    from dockercise_prefect.aws.account import Access, Account
    from dockercise_prefect.aws.jobs.login_keys import offered_keys
    from dockercise_prefect.aws.names import StackNames

    for key in offered_keys(Account(Access(region=region)).client("ssm"), StackNames(stack)):
        click.echo(f"restrict,port-forwarding {key}")
