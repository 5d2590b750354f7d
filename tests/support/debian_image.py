"""Images made from this system's own Debian packages, for tests that need more than a shell and must not need a registry.

Made once and kept by the engine: an image's tag is a hash of how it is made.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from filelock import FileLock

from scripts import debian
from scripts.console import SetUpError, say
from tests.support.engine_client import engine_client

LABEL = "dockercise-test.recipe"


def tag_of(*parts: bytes) -> str:
    """Names an image: another recipe, another release of the system it is made of, another image."""
    parts = (Path(__file__).read_bytes(), release().encode(), *parts)
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def ensure(reference: str, build: Callable[[docker.DockerClient], None]) -> str:
    """The reference of an image that the engine has; built first if it has not, by one test process at a time.

    Raises:
        SetUpError: something is missing that the recipe needs.
    """
    client = engine_client()
    try:
        with FileLock(Path(tempfile.gettempdir()) / f"{reference.split(':', maxsplit=1)[0].replace('/', '-')}-image.lock"):
            if not exists(client, reference):
                say(f"making the tests' image {reference} from packages (a minute or two, once)")
                build(client)
    finally:
        client.close()
    return reference


def exists(client: docker.DockerClient, reference: str) -> bool:
    """Whether the engine has it."""
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def bootstrap(tree: Path, packages: Sequence[str]) -> None:
    """Make a small Debian below a folder.

    Raises:
        SetUpError: we are not root, or a package cannot be had.
    """
    if os.geteuid() != 0:
        raise SetUpError("the tests' images are made with debootstrap, which needs root", "run the tests once as root")
    debian.install(debian.missing_packages({"debootstrap": "debootstrap"}), "the tests' images")
    components, mirror = _mirror()
    chosen = (f"--components={components}", f"--include={','.join(packages)}")
    run("debootstrap", "--variant=minbase", *chosen, release(), str(tree), mirror)
    run("chroot", str(tree), "apt-get", "clean")


def import_tree(client: docker.DockerClient, tree: Path, reference: str, *changes: str) -> None:
    """Make an image of the folder, labelled with its tag.

    Args:
        changes: further lines of a Dockerfile.
    """
    repository, tag = reference.rsplit(":", 1)
    of_all = ["ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"LABEL {LABEL}={tag}"]
    archive = tree.with_suffix(".tar")
    run("tar", "--create", "--numeric-owner", "--directory", str(tree), "--file", str(archive), ".")
    client.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=[*of_all, *changes])
    archive.unlink()


def release() -> str:
    """The code name of this system's release."""
    return debian.parse_os_release(debian.OS_RELEASE.read_text(encoding="utf-8")).get("VERSION_CODENAME", "")


def run(*command: str) -> str:
    """Run a command; return what it printed.

    Raises:
        SetUpError: it failed.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "PATH": debian.SEARCH_PATH, "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": ""},
    )
    if done.returncode != 0:
        raise SetUpError(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}", "see its own words above")
    return done.stdout


def _mirror() -> tuple[str, str]:
    """The components and the address of the archive that this system's apt uses for its own release."""
    form = "$(CODENAME)\t$(COMPONENT)\t$(REPO_URI)"
    targets = run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    rows = [tuple(row.split("\t")) for row in targets]
    found = [(component, address) for name, component, address in rows if name == release()]
    if not found:
        raise SetUpError("apt names no archive of this system's release", "as root: apt-get update, then again")
    address = found[0][1]
    return ",".join(dict.fromkeys(component for component, other in found if other == address)), address
