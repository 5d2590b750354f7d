"""A repository on GitHub and its git over ssh, both on loopback, and our Prefect: everything that `connect` links."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.connect.connection import BlockNames
from dockercise_prefect.orchestration.prefect.secret_blocks import delete_secret, find_secret
from dockercise_prefect.orchestration.registrations.deployments import Deployed, deployments
from tests.support.command import Command, Outcome
from tests.support.hosts.git_repository import commit_all, git, make_bare_repository, make_repository
from tests.support.hosts.github_server import GitHubServer, HostedRepository
from tests.support.ssh_server import SshServer, running_ssh

URL = "https://hooks.example.org"
PIPELINE = "hello: {img: busybox, run: echo hello}\nshout: {img: busybox, run: 'echo $HELLO'}\n"


@dataclass(frozen=True)
class World:
    """A repository on GitHub, its git over ssh, and our Prefect."""

    name: str
    github: GitHubServer
    hosted: HostedRepository
    ssh: SshServer
    work: Path
    call: Command

    @property
    def blocks(self) -> BlockNames:
        """The names of its Secret blocks."""
        return BlockNames.of(self.github.api.removeprefix("http://"), self.name)

    def connect(self, *arguments: str) -> Outcome:
        """Run `dockercise connect` with this GitHub."""
        return self.call("connect", self.name, "--webhook-url", URL, "--api", self.github.api, *arguments)

    def disconnect(self, *arguments: str) -> Outcome:
        """Run `dockercise disconnect` with this GitHub."""
        return self.call("disconnect", self.name, "--api", self.github.api, *arguments)

    def deployments(self) -> list[Deployed]:
        """The registrations of the repository."""
        return [one for one in deployments() if one.registration.url == self.hosted.ssh_url]

    def secrets(self) -> Mapping[str, str | None]:
        """The content of its Secret blocks."""
        return {block: find_secret(block) for block in (self.blocks.key, self.blocks.webhook, self.blocks.token)}

    def state(self) -> object:
        """Everything that a connection consists of, for comparison."""
        here = [(one.id, one.registration) for one in self.deployments()]
        keys = {number: key["key"] for number, key in self.hosted.keys.items()}
        return keys, {number: hook["config"] for number, hook in self.hosted.hooks.items()}, self.secrets(), here

    def push(self, pipeline: str) -> None:
        """Commit another pipeline and push it."""
        (self.work / "infra.dockercise.yaml").write_text(pipeline, encoding="utf-8")
        commit_all(self.work)
        git(self.work, "push", "--quiet", "origin", "HEAD")


@contextmanager
def running_world(folder: Path, github: GitHubServer, command: Command) -> Iterator[World]:
    """A repository that no other test uses; nothing of it stays in Prefect.

    Args:
        folder: holds the git repositories; created if needed.
        github: the GitHub that has the repository.
        command: calls `dockercise`, which reports to the session's Prefect.
    """
    name = f"acme/infra{uuid.uuid4().hex[:8]}"
    hosted = github.host(name)
    work = make_repository(folder / "work", {"infra.dockercise.yaml": PIPELINE}, branch="main")
    bare = make_bare_repository(folder / f"host/{name}.git", work)
    git(work, "remote", "add", "origin", str(bare))
    with running_ssh(folder / "host", lambda: [key["key"] for key in hosted.keys.values()]) as ssh:
        hosted.ssh_url, github.host_key = ssh.url(name), ssh.host_key
        world = World(name, github, hosted, ssh, work, command)
        yield world
        github.heal()
        world.disconnect()
        for block in world.secrets():
            delete_secret(block)
