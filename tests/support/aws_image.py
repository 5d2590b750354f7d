"""The image that stands in for the seed's two: Debian with git, jq and the AWS command line, made from packages alone.

`pebbletech/docker-aws-cli` and `bravissimolabs/alpine-git` are on a registry that not every machine reaches, and years old. One
image under both names has what the seed's stages use. It turns the repository that the seed clones into one of its own, so that
nothing leaves the machine. Made once and kept by the engine, its name holding a hash of how it is made.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from filelock import FileLock

from scripts import debian
from scripts.console import SetUpError, say
from tests.support.engine_client import engine_client
from tests.support.git_repository import make_bare_repository, make_repository

SEED_IMAGES = ("pebbletech/docker-aws-cli", "bravissimolabs/alpine-git")
SEED_REPOSITORY = "https://github.com/distributedlife/dockercise.git"
REPOSITORY = "dockercise-test/aws"
LABEL = "dockercise-test.recipe"
PACKAGES = ("ca-certificates", "git", "jq", "python3")
AWSCLI_LOCK = Path(__file__).with_name("awscli.lock")

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: What the seed's pipeline creates in the tests.
Resources:
  Results:
    Type: AWS::S3::Bucket
"""

_GIT_CONFIGURATION = f"""\
[url "file:///srv/git/dockercise.git"]
\tinsteadOf = {SEED_REPOSITORY}
[safe]
\tdirectory = *
"""

_AWS_COMMAND = """\
#!/bin/sh
PYTHONPATH=/opt/awscli exec python3 -m awscli "$@"
"""


def recipe_hash() -> str:
    """Names the image: another recipe, another release of the system it is made of, another image."""
    parts = (Path(__file__).read_bytes(), AWSCLI_LOCK.read_bytes(), _release().encode())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def ensure_aws_image() -> str:
    """The image's reference; made first if the engine does not have it, which takes about two minutes and needs root.

    Raises:
        SetUpError: something is missing that the recipe needs.
    """
    reference = f"{REPOSITORY}:{recipe_hash()}"
    client = engine_client()
    try:
        with FileLock(Path(tempfile.gettempdir()) / "dockercise-test-aws-image.lock"):
            if not _exists(client, reference):
                _build(client, reference)
    finally:
        client.close()
    return reference


@contextmanager
def seed_images() -> Iterator[None]:
    """The seed's two image names, for as long as the block lasts.

    Raises:
        SetUpError: the engine holds other images under these names; they are the developer's and stay untouched.
    """
    client = engine_client()
    image = client.images.get(ensure_aws_image())
    try:
        for name in SEED_IMAGES:
            if _exists(client, name) and LABEL not in client.images.get(name).labels:
                raise SetUpError(
                    f"the engine has an image {name} of its own, which the tests must not replace",
                    "run the tests on another engine (DOCKER_HOST), or remove the image",
                )
            image.tag(name)
        yield
    finally:
        for name in SEED_IMAGES:
            if _exists(client, name) and LABEL in client.images.get(name).labels:
                client.images.remove(name, noprune=True)
        client.close()


def _exists(client: docker.DockerClient, reference: str) -> bool:
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def _build(client: docker.DockerClient, reference: str) -> None:
    if os.geteuid() != 0:
        raise SetUpError("the tests' AWS image is made with debootstrap, which needs root", "run the tests once as root")
    debian.install(debian.missing_packages({"debootstrap": "debootstrap", "git": "git"}), "the tests' AWS image")
    say(f"making the tests' image {reference} from Debian's packages (about two minutes, once)")
    with tempfile.TemporaryDirectory(prefix="dockercise-test-image-") as folder:
        tree = Path(folder) / "tree"
        _bootstrap(tree)
        _add_awscli(tree)
        _add_repository(tree, Path(folder) / "seed")
        _import(client, tree, reference)


def _bootstrap(tree: Path) -> None:
    components, mirror = _mirror()
    _run(
        "debootstrap",
        "--variant=minbase",
        f"--components={components}",
        f"--include={','.join(PACKAGES)}",
        _release(),
        str(tree),
        mirror,
    )
    _run("chroot", str(tree), "apt-get", "clean")


def _add_awscli(tree: Path) -> None:
    python = re.sub(r"^python", "", (tree / "usr/bin/python3").readlink().name)
    target = tree / "opt/awscli"
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install", "--no-compile", "--require-hashes"]
    _run(*pip, "--only-binary=:all:", "--python-version", python, "--target", str(target), "--requirement", str(AWSCLI_LOCK))
    # Containers never keep what Python compiles, so it is compiled here, by the Python that will run it.
    _run("chroot", str(tree), "python3", "-m", "compileall", "-q", "/opt/awscli")
    command = tree / "usr/local/bin/aws"
    command.write_text(_AWS_COMMAND, encoding="ascii")
    command.chmod(0o755)


def _add_repository(tree: Path, scratch: Path) -> None:
    source = make_repository(scratch, {"example.yaml": TEMPLATE})
    make_bare_repository(tree / "srv/git/dockercise.git", source)
    (tree / "etc/gitconfig").write_text(_GIT_CONFIGURATION, encoding="ascii")


def _import(client: docker.DockerClient, tree: Path, reference: str) -> None:
    repository, tag = reference.rsplit(":", 1)
    changes = [
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"LABEL {LABEL}={tag}",
        'CMD ["/bin/sh"]',
    ]
    archive = tree.with_suffix(".tar")
    _run("tar", "--create", "--numeric-owner", "--directory", str(tree), "--file", str(archive), ".")
    client.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=changes)


def _release() -> str:
    return debian.parse_os_release(debian.OS_RELEASE.read_text(encoding="utf-8")).get("VERSION_CODENAME", "")


def _mirror() -> tuple[str, str]:
    """The components and the address of the archive that this system's apt uses for its own release."""
    form = "$(CODENAME)\t$(COMPONENT)\t$(REPO_URI)"
    targets = _run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    rows = [tuple(row.split("\t")) for row in targets]
    found = [(component, address) for release, component, address in rows if release == _release()]
    if not found:
        raise SetUpError("apt names no archive of this system's release", "as root: apt-get update, then again")
    address = found[0][1]
    return ",".join(dict.fromkeys(component for component, other in found if other == address)), address


def _run(*command: str) -> str:
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
