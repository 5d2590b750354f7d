"""Jobs of another account log in to a machine with systemd, OpenSSH and an engine of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dockercise_prefect.aws.jobs.login_keys import key_offer
from dockercise_prefect.aws.names import JOB_USER, StackNames
from tests.host.account import STACK, Account, account
from tests.host.test_instance import add_release
from tests.support.aws.instance import RELEASE, Instance, instance
from tests.webhook.world import eventually

pytestmark = [pytest.mark.docker, pytest.mark.acceptance]

SSH = "ssh -T -i /root/key -o BatchMode=yes -o StrictHostKeyChecking=no -o ExitOnForwardFailure=yes"
ME = f"{JOB_USER}@127.0.0.1"
SSH_ON_LOOPBACK = "0100007F:0016"
"""127.0.0.1 and port 22, as the kernel's table of sockets writes it (proc(5), /proc/net/tcp)."""

LISTENS = " 0A "


@pytest.fixture(scope="module")
def stack() -> Iterator[Account]:
    """An account with a stack that lets jobs in."""
    with account() as made:
        name, text = StackNames(STACK).parameter("host"), replace(made.config, jobs=True).to_text()
        made.aws.client("ssm").put_parameter(Name=name, Value=text, Overwrite=True)
        yield made


@pytest.fixture(scope="module")
def machine(stack: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The instance of the stack, set up, and a key that nobody has offered yet."""
    with instance(stack.environment) as made:
        made.start()
        add_release(made, tmp_path_factory.mktemp("dist"))
        made.run(f"{RELEASE}/bin/dockercise", "host", "install", "--stack", STACK)
        # sshd gives its command no variables. On a real instance, the credentials come from the instance's metadata.
        names = {"AWS_ENDPOINT_URL": "endpoint_url", "AWS_ACCESS_KEY_ID": "aws_access_key_id"}
        names |= {"AWS_SECRET_ACCESS_KEY": "aws_secret_access_key"}
        lines = [f"{name} = {stack.environment[variable]}" for variable, name in names.items()]
        made.put("/var/lib/dockercise/data/.aws/config", "\n".join(["[default]", *lines, ""]).encode())
        made.run("chown", "-R", "dockercise:", "/var/lib/dockercise/data/.aws")
        made.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "/root/key")
        both = "systemctl is-active dockercise-ssh.service docker.service"
        eventually(lambda: shell(made, both) == "active\nactive\nstatus 0\n", 120, every=0.5)
        yield made


def shell(machine: Instance, command: str) -> str:
    """Run a command in a shell of the machine, and return everything that it printed, also if it fails."""
    return machine.run("bash", "-c", f"{{ {command}; }} 2>&1; echo status $?")


def test_a_key_that_is_offered_opens_the_engine(stack: Account, machine: Instance) -> None:
    """Without an offer, nobody gets in. With one, the engine's socket is reached, but no shell."""
    refused = shell(machine, f"{SSH} {ME} id")
    with key_offer(stack.aws.client("ssm"), StackNames(STACK), machine.run("cat", "/root/key.pub").strip()) as offer:
        offer.renew()
        no_shell = shell(machine, f"{SSH} {ME} id")
        engine = shell(
            machine,
            f"{SSH} -f -N -L /root/engine.sock:/var/run/docker.sock {ME}"
            " && curl --silent --unix-socket /root/engine.sock http://engine/_ping",
        )

    assert "Permission denied (publickey)" in refused
    assert "This account is currently not available" in no_shell
    assert engine == "OKstatus 0\n"


def test_nobody_else_can_connect(machine: Instance) -> None:
    """The only server for ssh listens on loopback, and Debian's own is off for ever."""
    sockets = machine.run("cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines()
    own = shell(machine, "systemctl is-enabled ssh.service")

    ours = [line.split()[1] for line in sockets if LISTENS in line and line.split()[1].endswith(":0016")]
    assert ours == [SSH_ON_LOOPBACK]
    assert own.startswith("masked\n")
