"""The package that the host installs: a requirement, or a wheel with its lock that lies in the stack's bucket."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from dockercise_prefect.aws.account import calling
from dockercise_prefect.errors import UsageError

PROJECT = "dockercise-prefect"
LOCK = "requirements.lock"

_PREFIX = "s3:"
_FOLDER = "host"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of this project, and the lock of what it needs.

    Attributes:
        wheel: the wheel's file.
        lock: its `requirements.lock`, with hashes.
    """

    wheel: Path
    lock: Path

    @property
    def digest(self) -> str:
        """SHA-256 of both files."""
        parts = (hashlib.sha256(file.read_bytes()).hexdigest() for file in (self.wheel, self.lock))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    @property
    def place(self) -> str:
        """Where it lies in the bucket, as the stack's parameter `Package` names it."""
        return f"{_PREFIX}{_FOLDER}/{self.digest}/"

    def upload(self, client: Any, bucket: str) -> bool:
        """Put both files into the bucket, unless they are there. Returns whether they were not there.

        Args:
            client: boto3's client for S3.

        Raises:
            StorageError: AWS does not answer, or refuses.
        """
        folder = self.place.removeprefix(_PREFIX)
        with calling(f"cannot put the package into the bucket {bucket}", "s3:PutObject", "s3:ListBucket"):
            there = client.list_objects_v2(Bucket=bucket, Prefix=folder).get("KeyCount", 0)
            if there == len((self.wheel, self.lock)):
                return False
            # The host waits for the wheel, so the lock comes first.
            for name, file in ((LOCK, self.lock), (self.wheel.name, self.wheel)):
                client.put_object(Bucket=bucket, Key=folder + name, Body=file.read_bytes())
        return True


Package = str | Wheel
"""A requirement that pip can install, or a wheel that has to be uploaded."""


def named_package(text: str) -> Package:
    """The package that a user named.

    Args:
        text: a requirement, such as `dockercise-prefect==0.1.0`; or a folder with one wheel and its `requirements.lock`.

    Raises:
        UsageError: it is neither.
    """
    folder = Path(text)
    if folder.is_dir():
        return _wheel_in(folder)
    if not re.match(rf"{PROJECT}\s*([\[=<>!~@;]|$)", text) or re.search(r'["\\\n]', text):
        hint = f"write a requirement such as {PROJECT}==0.1.0, or a folder with one wheel and its {LOCK}"
        raise UsageError(f"--package: `{text}` is not a package that the host can install", hint)
    return text


def own_package(scratch: Path) -> Package:
    """The same package as the one that runs here.

    How it was installed is in `direct_url.json` (PEP 610): from an index, from git, or from a folder with its source.

    Args:
        scratch: an empty folder. If the package runs from its source, its wheel is built there.

    Raises:
        UsageError: the host cannot install what runs here.
    """
    try:
        found = distribution(PROJECT)
    except PackageNotFoundError:
        return _built(Path(__file__).resolve().parents[3], scratch)
    origin = _origin(found)
    url = str(origin.get("url") or "")
    if "vcs_info" in origin:
        return f"{PROJECT} @ git+{url}@{origin['vcs_info']['commit_id']}"
    if "dir_info" in origin:
        return _built(Path(url.removeprefix("file://")), scratch)
    if url:
        hint = f"name a package with --package: a requirement, or a folder with one wheel and its {LOCK}"
        raise UsageError(f"this dockercise was installed from {url}, which the host may not reach", hint)
    return f"{PROJECT}=={found.version}"


def _origin(found: Distribution) -> dict[str, Any]:
    text = found.read_text("direct_url.json")
    origin: dict[str, Any] = json.loads(text) if text else {}
    return origin


def _built(source: Path, scratch: Path) -> Wheel:
    """The wheel of a source folder, built with what is installed here, so without a download."""
    lock = source / LOCK
    if not lock.is_file():
        raise UsageError(f"{source} has no {LOCK}, so the host could not check what it installs", "use --package")
    command = [sys.executable, "-m", "pip", "-qq", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(scratch)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no reason").splitlines()[-1]
        raise UsageError(f"the wheel of {source} cannot be built: {last}", "name another package with --package")
    (scratch / LOCK).write_bytes(lock.read_bytes())
    return _wheel_in(scratch)


def _wheel_in(folder: Path) -> Wheel:
    wheels, lock = sorted(folder.glob("*.whl")), folder / LOCK
    if len(wheels) != 1 or not lock.is_file():
        raise UsageError(f"{folder} must have one wheel and its {LOCK}", f"it has {len(wheels)} wheels")
    return Wheel(wheels[0], lock)
