"""Makes the images that `deployments/` names: replacements for its two public images, and ours from its Dockerfile."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import docker
from packaging.requirements import Requirement

from scripts.console import NeedsRootError
from scripts.debootstrap import run
from tests.support.debian_image import LABEL, bootstrap, ensure, import_tree, tag_of

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deployments/docker/Dockerfile"

BASE = "dockercise-test/python"
POSTGRES = "dockercise-test/postgres"
OURS = "dockercise-test/dockercise"

_BASE_PACKAGES = ("ca-certificates", "git", "openssh-client", "python3", "python3-venv")

_POSTGRES_ENTRYPOINT = """\
#!/bin/sh
# The interface of the official image, as far as deployments/compose uses it.
set -eu
data=/var/lib/postgresql/data
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /run/postgresql
    chown postgres: "$data" /run/postgresql
    chmod 700 "$data"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$data/PG_VERSION" ]; then
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --pgdata="$data" --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --auth-local=trust
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
    pg_ctl --pgdata="$data" --wait -o "-c listen_addresses=''" start
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --pgdata="$data" --wait stop
fi
exec postgres -D "$data" -c listen_addresses='*'
"""


def base_image() -> str:
    """A replacement for `python:3.12-slim` that includes git and ssh, so that the build needs no network."""
    reference = f"{BASE}:{tag_of(*(name.encode() for name in _BASE_PACKAGES))}"

    def build(client: docker.DockerClient) -> None:
        with tempfile.TemporaryDirectory(prefix="dockercise-test-image-") as folder:
            tree = Path(folder) / "tree"
            bootstrap(tree, _BASE_PACKAGES)
            shutil.rmtree(tree / "var/lib/apt/lists")
            import_tree(client, tree, reference, 'CMD ["/bin/sh"]')

    return ensure(reference, build)


def postgres_image() -> str:
    """A replacement for the official Postgres image, made from Debian's package."""
    base = base_image()
    reference = f"{POSTGRES}:{tag_of(base.encode(), _POSTGRES_ENTRYPOINT.encode())}"

    def build(client: docker.DockerClient) -> None:
        with tempfile.TemporaryDirectory(prefix="dockercise-test-image-") as folder:
            tree = Path(folder) / "tree"
            _export(client, base, tree)
            _add_postgres(tree)
            changes = ('ENTRYPOINT ["/entrypoint"]', "EXPOSE 5432", "VOLUME /var/lib/postgresql/data")
            import_tree(client, tree, reference, *changes)

    return ensure(reference, build)


def _export(client: docker.DockerClient, image: str, tree: Path) -> None:
    if os.geteuid() != 0:
        raise NeedsRootError("an image's file system, with its owners and devices,")
    container = client.containers.create(image)
    try:
        archive = tree.with_suffix(".tar")
        with archive.open("wb") as file:
            file.writelines(container.export())  # type: ignore[arg-type]  # its stub takes bytes for texts
    finally:
        container.remove()
    tree.mkdir()
    run("tar", "--extract", "--numeric-owner", "--directory", str(tree), "--file", str(archive))
    archive.unlink()


def _add_postgres(tree: Path) -> None:
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    configuration = tree / "etc/postgresql-common/createcluster.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("create_main_cluster = false\n", encoding="ascii")
    apt = (
        "chroot",
        str(tree),
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "Dpkg::Options::=--force-confold",
    )
    run(*apt, "update")
    run(*apt, "install", "--yes", "--no-install-recommends", "postgresql")
    run(*apt, "clean")
    shutil.rmtree(tree / "var/lib/apt/lists")
    entrypoint = tree / "entrypoint"
    entrypoint.write_text(_POSTGRES_ENTRYPOINT, encoding="ascii")
    entrypoint.chmod(0o755)


def our_image() -> str:
    """The image of `deployments/docker/Dockerfile`, built by the engine's old builder, without a network."""
    base = base_image()
    content = [path.read_bytes() for path in _context_files()]
    reference = f"{OURS}:{tag_of(base.encode(), DOCKERFILE.read_bytes(), *content)}"

    def build(_client: docker.DockerClient) -> None:
        with tempfile.TemporaryDirectory(prefix="dockercise-test-context-") as folder:
            context = Path(folder)
            for path in _context_files():
                target = context / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
            shutil.copytree(wheels(), context / "wheels")
            arguments = (
                "--force-rm",
                "--network=none",
                f"--build-arg=BASE={base}",
                f"--label={LABEL}={reference.rpartition(':')[2]}",
            )
            run("env", "DOCKER_BUILDKIT=0", "docker", "build", *arguments, f"--file={DOCKERFILE}", f"--tag={reference}", folder)

    return ensure(reference, build)


def _context_files() -> list[Path]:
    """The files of the repository that the Dockerfile copies."""
    single = [
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements.lock",
        ".dockerignore",
        "deployments/docker/entrypoint",
    ]
    package = (path for path in (ROOT / "dockercise_prefect").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [*(ROOT / name for name in single), *sorted(package)]


def wheels() -> Path:
    """A folder with all packages of the lock, for the Python of the base image. It is kept in the repository's cache."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    folder = ROOT / ".cache/wheels" / tag_of(lock.encode(), base_image().encode())
    if not folder.exists():
        version = run(
            "docker", "run", "--rm", base_image(), "python3", "-c", "import platform; print(platform.python_version())"
        )
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        needed = partial / "requirements.txt"
        needed.write_text(_needed_by(version.strip(), lock), encoding="utf-8")
        pip = (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download", "--require-hashes", "--no-deps")
        only = ("--only-binary=:all:", f"--python-version={version.strip()}")
        run(*pip, *only, f"--dest={partial}", f"--requirement={needed}")
        needed.unlink()
        partial.rename(folder)
    return folder


def _needed_by(version: str, lock: str) -> str:
    """The lock's entries for another Python, without their conditions, which pip would evaluate for its own Python."""
    other = {"python_version": ".".join(version.split(".")[:2]), "python_full_version": version}
    entries = []
    for entry in re.split(r"^(?=[a-zA-Z])", lock, flags=re.MULTILINE)[1:]:
        head, _, hashes = entry.partition("\\\n")
        requirement = Requirement(head.strip())
        if requirement.marker is None or requirement.marker.evaluate(other):
            requirement.marker = None
            entries.append(f"{requirement} \\\n{hashes}")
    return "".join(entries)
