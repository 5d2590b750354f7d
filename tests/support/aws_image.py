"""The image that stands in for the seed's two: Debian with git, jq and the AWS command line, made from packages alone.

`pebbletech/docker-aws-cli` and `bravissimolabs/alpine-git` are on a registry that not every machine reaches, and years old. One
image under both names has what the seed's stages use. It turns the repository that the seed clones into one of its own, so that
nothing leaves the machine. Made once and kept by the engine, its name holding a hash of how it is made.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from scripts import debian
from scripts.console import SetUpError
from scripts.debootstrap import run
from tests.support.debian_image import LABEL, bootstrap, ensure, exists, import_tree, tag_of
from tests.support.engine_client import engine_client
from tests.support.git_repository import make_bare_repository, make_repository

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
    """Names the image: another recipe, another image."""
    return tag_of(Path(__file__).read_bytes(), AWSCLI_LOCK.read_bytes())


def ensure_aws_image() -> str:
    """The image's reference; made first if the engine does not have it, which takes about two minutes and needs root.

    Raises:
        SetUpError: something is missing that the recipe needs.
    """
    reference = f"{REPOSITORY}:{recipe_hash()}"
    return ensure(reference, lambda client: _build(client, reference))


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
            if exists(client, name) and LABEL not in client.images.get(name).labels:
                raise SetUpError(
                    f"the engine has an image {name} of its own, which the tests must not replace",
                    "run the tests on another engine (DOCKER_HOST), or remove the image",
                )
            image.tag(name)
        yield
    finally:
        for name in SEED_IMAGES:
            if exists(client, name) and LABEL in client.images.get(name).labels:
                client.images.remove(name, noprune=True)
        client.close()


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
    # Containers never keep what Python compiles, so it is compiled here, by the Python that will run it.
    run("chroot", str(tree), "python3", "-m", "compileall", "-q", "/opt/awscli")
    command = tree / "usr/local/bin/aws"
    command.write_text(_AWS_COMMAND, encoding="ascii")
    command.chmod(0o755)


def _add_repository(tree: Path, scratch: Path) -> None:
    source = make_repository(scratch, {"example.yaml": TEMPLATE})
    make_bare_repository(tree / "srv/git/dockercise.git", source)
    (tree / "etc/gitconfig").write_text(_GIT_CONFIGURATION, encoding="ascii")
