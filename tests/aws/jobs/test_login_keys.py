"""The keys that open a host for jobs, as sshd on the host gets them."""

from __future__ import annotations

import json

import pytest

from dockercise_prefect.aws.jobs.login_keys import KEY_SECONDS, key_offer, offered_keys
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.connect.deploy_key import make_deploy_key
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws
from tests.support.command import Command

pytestmark = pytest.mark.docker  # for the server

NAMES = StackNames()
NOW = 1_800_000_000


def test_a_key_opens_the_host_for_moments(aws: Aws) -> None:
    """A key counts until its end, again after it was renewed, and never after the job."""
    client, key = aws.client("ssm"), make_deploy_key().public
    times = [NOW]
    with key_offer(client, NAMES, key, lambda: times[-1]) as offer:
        before = offered_keys(client, NAMES, lambda: NOW)
        offer.renew()
        inside = [offered_keys(client, NAMES, lambda: NOW), offered_keys(client, NAMES, lambda: NOW + KEY_SECONDS)]
        times.append(NOW + KEY_SECONDS)
        offer.renew()
        renewed = offered_keys(client, NAMES, lambda: NOW + KEY_SECONDS)
    after = offered_keys(client, NAMES, lambda: NOW)

    assert (before, inside, renewed, after) == ([], [[key], []], [key], [])


@pytest.mark.parametrize(
    "value",
    [
        "no JSON",
        "[]",
        json.dumps({"key": "ssh-ed25519 AAAA"}),
        json.dumps({"key": "ssh-ed25519 AAAA\nssh-ed25519 BBBB", "until": NOW + 1}),
        json.dumps({"key": 'command="sh" ssh-ed25519 AAAA', "until": NOW + 1}),
        json.dumps({"key": "ssh-ed25519 AAAA", "until": "tomorrow"}),
    ],
)
def test_what_is_no_key_opens_nothing(aws: Aws, value: str) -> None:
    """A parameter with something else, with several lines or with options of sshd is ignored."""
    client = aws.client("ssm")
    client.put_parameter(Name=NAMES.parameter("job-keys", "x"), Value=value, Type="String")

    assert offered_keys(client, NAMES, lambda: NOW) == []


def test_sshd_gets_the_keys(aws: Aws, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`aws job-keys` prints each key with the one right that a job needs; in another stack, there is none."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", FOLDER_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", FOLDER_SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    key = make_deploy_key().public
    with key_offer(aws.client("ssm"), NAMES, key) as offer:
        offer.renew()

        said = command("aws", "job-keys", "--stack", "dockercise", "--region", REGION)
        other = command("aws", "job-keys", "--stack", "dockercise-two", "--region", REGION)

    assert (said.status, said.out) == (0, f"restrict,port-forwarding {key}\n")
    assert (other.status, other.out) == (0, "")
