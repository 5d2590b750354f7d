"""The installed versions of dockercise on the host: each in its own folder, and a link to the one that is used."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dockercise_prefect.errors import MachineError
from dockercise_prefect.host.machine import Layout, run, writing
from dockercise_prefect.results.places.aws import aws_errors

IN_BUCKET = "s3:"
_COMPLETE = "complete"
_PACKAGE = "package"
_LOCK = "requirements.lock"


class Releases:
    """The versions in the folder of a layout.

    Args:
        layout: where the versions are.
        client: boto3's client for S3, for packages in the bucket.
        bucket: the bucket of the stack.
        say: called with a line for each step.
    """

    def __init__(self, layout: Layout, client: Any, bucket: str, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._client = client
        self._bucket = bucket
        self._say = say

    def folder(self, package: str) -> Path:
        """The folder of a package. The script that installs the first one on a new host uses the same name."""
        return self._layout.releases / hashlib.sha256(package.encode()).hexdigest()[:16]

    def current(self) -> Path | None:
        """The folder of the version that is used; None if there is none."""
        with suppress(OSError):
            return self._layout.current.resolve(strict=True)
        return None

    def current_package(self) -> str:
        """The package of the version that is used; empty if that is not known."""
        found = self.current()
        try:
            return "" if found is None else (found / _PACKAGE).read_text(encoding="utf-8")
        except OSError:
            return ""

    def is_current(self, package: str) -> bool:
        """Whether the version that is used is that package."""
        found = self.current()
        return found is not None and found.name == self.folder(package).name

    def install(self, package: str) -> Path:
        """Install a package beside the others, and return its folder. A complete one is left as it is.

        Args:
            package: a requirement of pip, or `s3:` and a folder of the bucket.

        Raises:
            MachineError: pip failed. Nothing is left, and the version that is used is untouched.
            StorageError: the package is not in the bucket.
        """
        folder = self.folder(package)
        if (folder / _COMPLETE).exists():
            return folder
        self._say(f"{package} is installed")
        try:
            run(sys.executable, "-m", "venv", "--clear", str(folder))
            self._fill(folder, package)
            with writing(folder):
                (folder / _PACKAGE).write_text(package, encoding="utf-8")
                (folder / _COMPLETE).touch()
        except BaseException:  # a signal too: a half installed version must not stay
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def note(self, package: str) -> None:
        """Remember which package the version is that is used; the script of the first boot does not."""
        found = self.current()
        if found is not None and self.is_current(package):
            with writing(found):
                (found / _PACKAGE).write_text(package, encoding="utf-8")

    def use(self, folder: Path) -> None:
        """Make the link point to a version, in one step."""
        new = self._layout.current.with_name(".current.new")
        with writing(self._layout.current):
            new.unlink(missing_ok=True)
            new.symlink_to(folder)
            new.replace(self._layout.current)

    def remove_others(self, *kept: Path) -> None:
        """Remove all versions but some."""
        names = {folder.name for folder in kept}
        for folder in self._layout.releases.iterdir():
            if folder.name not in names:
                shutil.rmtree(folder, ignore_errors=True)

    def _fill(self, folder: Path, package: str) -> None:
        pip = (str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet")
        if not package.startswith(IN_BUCKET):
            run(*pip, "--", package)
            return
        downloads = folder / "downloads"
        wheel = self._download(package.removeprefix(IN_BUCKET), downloads)
        run(*pip, "--require-hashes", "--requirement", str(downloads / _LOCK))
        run(*pip, "--no-deps", "--", str(wheel))
        shutil.rmtree(downloads, ignore_errors=True)

    def _download(self, prefix: str, folder: Path) -> Path:
        """Download the lock and the wheel, and return the path of the wheel."""
        with writing(folder):
            folder.mkdir(parents=True)
        with aws_errors(f"cannot read s3://{self._bucket}/{prefix}"):
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix).get("Contents", [])
            names = [str(one["Key"]).removeprefix(prefix) for one in listed]
            wheels = [name for name in names if name.endswith(".whl") and "/" not in name]
            if _LOCK not in names or len(wheels) != 1:
                raise MachineError(
                    f"s3://{self._bucket}/{prefix} must have {_LOCK} and one wheel", "`dockercise aws up` uploads both"
                )
            for name in (_LOCK, wheels[0]):
                self._client.download_file(self._bucket, f"{prefix}{name}", str(folder / name))
        return folder / wheels[0]
