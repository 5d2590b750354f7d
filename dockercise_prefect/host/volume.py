"""The volume that the stack keeps: attaches it, makes a file system on it if it has none, and mounts it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.errors import MachineError
from dockercise_prefect.host.files import WantedFile, write_changed
from dockercise_prefect.host.machine import Layout, attempt, run
from dockercise_prefect.results.places.aws import aws_errors

PATIENCE = 30 * 60.0
"""For how many seconds the volume may still belong to the host's predecessor, which EC2 ends after it has made this one."""

_PAUSE = 5.0
_NAME = "/dev/sdf"
"""The name that EC2 asks for. On instances of today, the device has another one."""

_NOTHING_FOUND = 2
"""The exit status of blkid if a device has neither a file system nor a partition table (blkid(8))."""

_LATER = frozenset({"VolumeInUse", "IncorrectState", "IncorrectInstanceState"})
_METADATA = "http://169.254.169.254"
_METADATA_SECONDS = 10.0


def ensure_mounted(
    volume: str, client: Any, layout: Layout, say: Callable[[str], None], *, wait: Callable[[float], None] = time.sleep
) -> None:
    """Mount the volume, if nothing is mounted yet where it belongs.

    Args:
        volume: the id of the volume.
        client: boto3's client for EC2.
        layout: where it is mounted.
        say: called with a line for each step.
        wait: waits for so many seconds.

    Raises:
        MachineError: the volume has something else on it, does not come, or a command fails.
        StorageError: EC2 refuses, or does not answer.
    """
    if os.path.ismount(layout.kept):
        return
    device = _attached(volume, client, layout, say, wait)
    say(f"the volume {volume} is attached")
    if is_blank(device):
        say("the volume is blank: a file system is made on it")
        run("mkfs.ext4", "-q", "-L", "dockercise", str(device))
    identity = run("blkid", "-p", "-o", "value", "-s", "UUID", str(device)).strip()
    if run("blkid", "-p", "-o", "value", "-s", "TYPE", str(device)).strip() != "ext4" or not identity:
        raise MachineError(
            f"the volume {volume} has something else than a file system of dockercise", "attach it elsewhere, and look at it"
        )
    layout.kept.mkdir(parents=True, exist_ok=True)
    text = layout.fstab.read_text(encoding="utf-8") if layout.fstab.exists() else ""
    write_changed([WantedFile(layout.fstab, fstab_with(text, identity))])
    run("systemctl", "daemon-reload")
    run("mount", str(layout.kept))
    run("resize2fs", str(device))  # the stack may have made the volume larger


def is_blank(device: Path) -> bool:
    """Whether a device has neither a file system nor a partition table. Only then may something be made on it.

    Raises:
        MachineError: blkid could not tell.
    """
    done = attempt("blkid", "-p", str(device))
    if done.returncode not in {0, _NOTHING_FOUND}:
        raise MachineError(f"blkid cannot tell what is on {device}: {done.stderr.strip()}", "look at the device")
    return done.returncode == _NOTHING_FOUND


def fstab_with(text: str, identity: str) -> str:
    """The table of file systems with the volume in it. Other lines stay.

    Args:
        text: the present table.
        identity: the UUID of the volume's file system.
    """
    mount_point = "/var/lib/dockercise"
    others = [line for line in text.splitlines() if line.split()[1:2] != [mount_point] or line.lstrip().startswith("#")]
    ours = f"UUID={identity} {mount_point} ext4 defaults,nofail,x-systemd.device-timeout=5min 0 2"
    return "\n".join([*others, ours, ""])


def device_of(volume: str, layout: Layout) -> Path:
    """The device of a volume, as udev names it by its serial, which is the id of the volume (EC2's documentation of NVMe)."""
    return layout.root / f"dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"


def _attached(volume: str, client: Any, layout: Layout, say: Callable[[str], None], wait: Callable[[float], None]) -> Path:
    device = device_of(volume, layout)
    if device.exists():
        return device
    instance = instance_id()
    until = time.monotonic() + PATIENCE
    told = False
    while not device.exists():
        if time.monotonic() > until:
            raise MachineError(
                f"the volume {volume} does not come to the instance {instance}",
                "look in EC2 which instance it belongs to, and detach it there",
            )
        if not _asked(volume, instance, client) and not told:
            say(f"the volume {volume} belongs to another instance: waiting for it")
            told = True
        wait(_PAUSE)
    return device


def _asked(volume: str, instance: str, client: Any) -> bool:
    """Ask EC2 to attach the volume. Returns False if that is not possible now."""
    with aws_errors(f"cannot attach the volume {volume}"):
        try:
            client.attach_volume(VolumeId=volume, InstanceId=instance, Device=_NAME)
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")) not in _LATER:
                raise
            return False
    return True


def instance_id() -> str:
    """The id of this instance, from its metadata (EC2's documentation of IMDSv2).

    Raises:
        MachineError: this is not an instance of EC2.
    """
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _METADATA).rstrip("/")
    try:
        with httpx.Client(timeout=_METADATA_SECONDS, trust_env=False) as client:
            life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            token = client.put(f"{base}/latest/api/token", headers=life).raise_for_status().text
            answer = client.get(f"{base}/latest/meta-data/instance-id", headers={"X-aws-ec2-metadata-token": token})
            found = answer.raise_for_status().text.strip()
    except httpx.HTTPError as error:
        raise MachineError(f"the metadata of the instance cannot be read: {type(error).__name__}", "is this EC2?") from error
    if not re.fullmatch(r"i-[0-9a-f]+", found):
        raise MachineError("the metadata of the instance contain no id", "is this EC2?")
    return found
