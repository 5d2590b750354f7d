"""A machine that becomes a host in a temporary root, with recorders in place of the commands that need a whole machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.host.installing import install
from dockercise_prefect.host.machine import Layout
from tests.support.aws.moto import Aws

VOLUME = "vol-0123456789abcdef0"
CONFIG = HostConfig(
    stack="dockercise-t",
    region="eu-west-1",
    queue="https://sqs.example.org/dockercise-t-pushes.fifo",
    lost="https://sqs.example.org/dockercise-t-lost.fifo",
    bucket="stack-bucket",
    volume=VOLUME,
    log_group="dockercise/dockercise-t",
    host_log_group="dockercise/dockercise-t/host",
    idle_minutes=10,
    prefect_api_url="",
    package="dockercise-prefect==1",
)

STARTED = (
    "systemctl start --no-block dockercise-sleep.path dockercise-prefect.socket dockercise-prefect.service "
    "dockercise-worker.service dockercise-webhook.service dockercise-host.service dockercise-gc.timer"
)

RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >> "$RECORDED"\n'
GETENT = '#!/bin/sh\ngrep -q "^useradd.* $2\\$" "$RECORDED"\n'


@dataclass
class Machine:
    """A machine whose root is a temporary folder.

    Attributes:
        layout: its folders.
        recorded: the file with the commands that changed it.
        log: what was said.
    """

    aws: Aws
    layout: Layout
    recorded: Path
    log: list[str] = field(default_factory=list)

    def install(self, config: HostConfig = CONFIG, prefect: dict[str, str] | None = None) -> list[str]:
        """Set it up, and return the commands that it took."""
        before = len(self.commands())
        clients = {"ec2": self.aws.client("ec2"), "s3": self.aws.client("s3")}
        install(config, prefect or {}, self.layout, self.log.append, **clients)
        return self.commands()[before:]

    def commands(self) -> list[str]:
        """All commands."""
        return self.recorded.read_text().splitlines()

    def content(self) -> dict[str, tuple[str, int]]:
        """All files with their modes and the times of their last change, without the commands and the device."""
        found = [path for path in self.layout.root.rglob("*") if path.is_file() and "dev/disk" not in str(path)]
        return {str(path.relative_to(self.layout.root)): (path.read_text(), path.stat().st_mtime_ns) for path in found}
