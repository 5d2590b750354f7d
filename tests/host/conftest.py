"""Fixtures for the tests of the host: AWS on loopback, and the queues of a stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.host.machine import Layout
from dockercise_prefect.host.volume import device_of
from tests.host.machine import GETENT, RECORDER, VOLUME, Machine
from tests.host.queues import Queues
from tests.support.aws.moto import Aws, running_aws


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS for the tests of one module."""
    with running_aws() as running:
        yield running


@pytest.fixture
def queues(aws: Aws) -> Iterator[Queues]:
    """New queues for one test."""
    made = Queues.make(aws)
    yield made
    made.remove()


@pytest.fixture
def machine(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with the blank volume attached."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("systemctl", "useradd", "chown", "mount"):
        (commands / name).write_text(RECORDER)
    (commands / "getent").write_text(GETENT)
    for file in commands.iterdir():
        file.chmod(0o755)
    recorded = tmp_path / "recorded"
    recorded.touch()
    monkeypatch.setenv("RECORDED", str(recorded))
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}:/usr/sbin:/sbin")
    layout = Layout(tmp_path / "root")
    device = device_of(VOLUME, layout)
    device.parent.mkdir(parents=True)
    with device.open("wb") as blank:
        blank.truncate(8 << 20)
    layout.fstab.parent.mkdir(parents=True)
    layout.fstab.write_text("# the system\nUUID=1 / ext4 defaults 0 1\n")
    return Machine(aws, layout, recorded)
