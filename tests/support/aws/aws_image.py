"""The image that replaces the seed's two images: Debian with git, jq and the AWS command line, made only from packages.

`pebbletech/docker-aws-cli` and `bravissimolabs/alpine-git` are years old, and their registry is not available on every machine.
One image with both names has everything that the seed's stages use. It contains a repository that replaces the one that the
seed clones, so no data leaves the machine. It is made once and kept by the engine. Its name contains a hash of the recipe.
"""

from __future__ import annotations

import fcntl
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker

from scripts import debian
from scripts.console import SetUpError
from scripts.debootstrap import run
from tests.support.debian_image import LABEL, bootstrap, ensure, exists, import_tree, tag_of
from tests.support.engine_client import engine_client
from tests.support.hosts.git_repository import make_bare_repository, make_repository

SEED_IMAGES = ("pebbletech/docker-aws-cli", "bravissimolabs/alpine-git")
SEED_REPOSITORY = "https://github.com/distributedlife/dockercise.git"
REPOSITORY = "dockercise-test/aws"
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
    """A hash for the image's name. It differs if the recipe differs."""
    return tag_of(Path(__file__).read_bytes(), AWSCLI_LOCK.read_bytes())


def ensure_aws_image() -> str:
    """Return the image's reference. If the engine does not have the image, make it: about two minutes, needs root.

    Raises:
        SetUpError: the recipe needs something that is missing.
    """
    reference = f"{REPOSITORY}:{recipe_hash()}"
    return ensure(reference, lambda client: _build(client, reference))


@contextmanager
def seed_images() -> Iterator[None]:
    """Inside, the image has the seed's two image names.

    Raises:
        SetUpError: the engine has other images with these names. They belong to the developer and are not changed.
    """
    client = engine_client()
    image = client.images.get(ensure_aws_image())
    with (Path(tempfile.gettempdir()) / "dockercise-test-seed-images.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            for name in SEED_IMAGES:
                if exists(client, name) and LABEL not in client.images.get(name).labels:
                    raise SetUpError(
                        f"the engine has an image {name} of its own, which the tests must not replace",
                        "run the tests on another engine (DOCKER_HOST), or remove the image",
                    )
                image.tag(name)
            yield
        finally:
            with suppress(BlockingIOError):  # another process uses them, and will remove them
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove_seed_images(client)
            client.close()


def _remove_seed_images(client: docker.DockerClient) -> None:
    for name in SEED_IMAGES:
        if exists(client, name) and LABEL in client.images.get(name).labels:
            client.images.remove(name, noprune=True)


def _build(client: docker.DockerClient, reference: str) -> None:
    debian.install(debian.missing_packages({"git": "git"}), "the tests' AWS image")
    with tempfile.TemporaryDirectory(prefix="dockercise-test-image-") as folder:
        tree = Path(folder) / "tree"
        bootstrap(tree, PACKAGES)
        _add_awscli(tree)
        _add_repository(tree, Path(folder) / "seed")
        import_tree(client, tree, reference, 'CMD ["/bin/sh"]')


def _add_awscli(tree: Path) -> None:
    python = re.sub(r"^python", "", (tree / "usr/bin/python3").readlink().name)
    target = tree / "opt/awscli"
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install", "--no-compile", "--require-hashes"]
    run(*pip, "--only-binary=:all:", "--python-version", python, "--target", str(target), "--requirement", str(AWSCLI_LOCK))
    # Containers do not keep compiled Python files, so the image's own Python compiles them here.
    run("chroot", str(tree), "python3", "-m", "compileall", "-q", "/opt/awscli")
    command = tree / "usr/local/bin/aws"
    command.write_text(_AWS_COMMAND, encoding="ascii")
    command.chmod(0o755)


def _add_repository(tree: Path, scratch: Path) -> None:
    source = make_repository(scratch, {"example.yaml": TEMPLATE})
    make_bare_repository(tree / "srv/git/dockercise.git", source)
    (tree / "etc/gitconfig").write_text(_GIT_CONFIGURATION, encoding="ascii")
