"""Files of npm packages. A version is checked against its digest, and downloaded once for all tests on this machine."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

_CACHE = platformdirs.user_cache_path("dockercise-tests") / "npm"


@dataclass(frozen=True)
class NpmPackage:
    """A version of a package. `integrity` is the output of `npm view NAME dist.integrity`."""

    name: str
    version: str
    integrity: str

    def file(self, path: str) -> Path:
        """The unpacked file of the package with this path."""
        folder = _CACHE / f"{self.name.strip('@').replace('/', '-')}-{self.version}"
        folder.mkdir(parents=True, exist_ok=True)
        unpacked = folder / "files" / path
        with FileLock(folder / "lock"):
            if not unpacked.exists():
                unpacked.parent.mkdir(parents=True, exist_ok=True)
                whole = self._read(folder / "package.tgz", f"package/{path}")
                temporary = unpacked.with_name(f"{unpacked.name}.part")
                temporary.write_bytes(whole)
                temporary.replace(unpacked)
        return unpacked

    def _read(self, archive: Path, member: str) -> bytes:
        if not archive.exists():
            self._fetch(archive)
        self._check(archive)
        with tarfile.open(archive) as package:
            found = package.extractfile(member)
            assert found is not None, f"{self.name} has no {member}"
            return found.read()

    def _fetch(self, archive: Path) -> None:
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            command = ["npm", "pack", f"{self.name}@{self.version}", "--pack-destination", folder, "--ignore-scripts"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (packed,) = Path(folder).glob("*.tgz")
            packed.replace(archive)

    def _check(self, archive: Path) -> None:
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode("ascii")
        assert f"sha512-{digest}" == self.integrity, f"{archive} is not {self.name} {self.version}"
