"""A machine with systemd and an engine of its own: the instance of a stack, as a container of this machine's engine.

`start` does what StartInstances does, and a machine that powers itself off is stopped. Its disk and its volume stay meanwhile.
The image is made once, from Debian's packages and the packages of the lock, and kept by the engine.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import docker
import psutil
from docker.models.containers import Container

from scripts.debootstrap import run
from tests.support.debian_image import bootstrap, ensure, import_tree, tag_of
from tests.support.deploy_images import ROOT, wheels
from tests.support.engine_client import engine_client

REPOSITORY = "dockercise-test/instance"
LOCK = ROOT / "requirements.lock"
PACKAGE = "dockercise-prefect"
RELEASE = f"/opt/dockercise/releases/{hashlib.sha256(PACKAGE.encode()).hexdigest()[:16]}"
"""Where the image has the packages of the lock. The project itself is added to them."""

VOLUME = "/var/lib/dockercise"
WHEELS = "/wheels"
PATIENCE = 600.0
_BOOTED = ("running", "degraded")

_SYSTEM = ("systemd", "systemd-sysv", "dbus", "e2fsprogs", "iptables")
_FIRST_BOOT = ("ca-certificates", "curl", "docker.io", "git", "openssh-client", "openssh-server", "python3-venv")
"""What the script of the first boot installs. It finds them, and so needs no network."""


def ensure_instance_image() -> str:
    """Return the image's reference. If the engine does not have the image, make it: some minutes, needs root.

    Raises:
        SetUpError: the recipe needs something that is missing.
    """
    reference = f"{REPOSITORY}:{tag_of(*(name.encode() for name in (*_SYSTEM, *_FIRST_BOOT, RELEASE)), LOCK.read_bytes())}"

    def build(client: docker.DockerClient) -> None:
        found = wheels()
        with tempfile.TemporaryDirectory(prefix="dockercise-test-image-") as folder:
            tree = Path(folder) / "tree"
            bootstrap(tree, (*_SYSTEM, *_FIRST_BOOT))
            shutil.rmtree(tree / "var/lib/apt/lists")
            _add_packages(tree, found)
            # The agent of Session Manager comes from AWS.
            agent = tree / "usr/local/bin/amazon-ssm-agent"
            agent.write_text("#!/bin/sh\n", encoding="ascii")
            agent.chmod(0o755)
            import_tree(client, tree, reference, 'CMD ["/sbin/init"]')

    return ensure(reference, build)


def _add_packages(tree: Path, found: Path) -> None:
    shutil.copytree(found, tree / "wheels")
    shutil.copy(LOCK, tree / "wheels/requirements.lock")
    inside = ("chroot", str(tree))
    run(*inside, "python3", "-m", "venv", RELEASE)
    offline = ("--quiet", "--no-index", f"--find-links={WHEELS}", "--require-hashes", "--requirement")
    run(*inside, "env", "PIP_CONFIG_FILE=/dev/null", f"{RELEASE}/bin/pip", "install", *offline, f"{WHEELS}/requirements.lock")
    shutil.rmtree(tree / "wheels")


class Instance:
    """One machine. It is made stopped.

    Args:
        client: a client of this machine's engine.
        container: the container.
    """

    def __init__(self, client: docker.DockerClient, container: Container) -> None:
        self._client = client
        self._container = container

    def start(self) -> None:
        """Do what StartInstances does, and wait until the machine has booted. Nothing happens if it runs."""
        self._container.start()
        until = time.monotonic() + PATIENCE
        while self._said("systemctl", "is-system-running", "--wait")[1].strip() not in _BOOTED:
            assert time.monotonic() < until, "the machine does not boot"
            time.sleep(0.2)

    def is_running(self) -> bool:
        """Whether the machine runs."""
        self._container.reload()
        return bool(self._container.status == "running")

    def pull_the_plug(self) -> None:
        """Cut the machine's power: its programs are not told."""
        self._container.kill()

    def wait_until_stopped(self, seconds: float = PATIENCE) -> None:
        """Wait until the machine has powered itself off; it is an error if it does not in time."""
        until = time.monotonic() + seconds
        while self.is_running():
            assert time.monotonic() < until, f"the machine does not stop:\n{self.journal()}"
            time.sleep(0.5)

    def run(self, *command: str) -> str:
        """Run a command on the machine as root, and return what it printed; it is an error if it fails."""
        status, text = self._said(*command)
        assert status == 0, f"`{' '.join(command)}` failed with {status}:\n{text}"
        return text

    def _said(self, *command: str) -> tuple[int | None, str]:
        status, output = self._container.exec_run(list(command))
        assert isinstance(output, bytes)
        return status, output.decode("utf-8", "replace")

    def journal(self) -> str:
        """The end of the log of the machine; empty if it does not run."""
        if not self.is_running():
            return ""
        return self.run("journalctl", "--no-pager", "--lines=200", "--unit=dockercise-*")

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file on the machine, also while it is stopped."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
        self._container.put_archive("/", archive.getvalue())

    def load(self, image: str) -> None:
        """Give the machine's engine an image of this machine's engine, under the same name."""
        saved = b"".join(self._client.images.get(image).save(named=image))
        self.put("/root/image.tar", saved)
        self.run("docker", "load", "--quiet", "--input", "/root/image.tar")
        self.run("rm", "/root/image.tar")


def mount_controllers() -> None:
    """Mount the controllers of cgroup v1 that are mounted nowhere yet, where systems with cgroup v1 have them.

    systemd in a machine mounts them for itself, for all of this system. The engine's shim then finds hierarchies of its
    containers that it cannot look into, and reports no lack of memory any more.
    """
    if not Path("/sys/fs/cgroup/memory").is_mount():
        return  # cgroup v2, or none
    mounted = {name for one in psutil.disk_partitions(all=True) if one.fstype == "cgroup" for name in one.opts.split(",")}
    sets: dict[str, list[str]] = {}
    for line in Path("/proc/cgroups").read_text(encoding="ascii").splitlines()[1:]:
        name, hierarchy, _, enabled = line.split("\t")
        if enabled == "1" and name not in mounted:
            # Those of one hierarchy can only be mounted together; 0 is none.
            sets.setdefault(name if hierarchy == "0" else hierarchy, []).append(name)
    free = [",".join(names) for names in sets.values()]
    if free:
        run("mount", "-o", "remount,rw", "/sys/fs/cgroup")
        for name in free:
            Path(f"/sys/fs/cgroup/{name}").mkdir(exist_ok=True)
            run("mount", "-t", "cgroup", "-o", name, "cgroup", f"/sys/fs/cgroup/{name}")
        run("mount", "-o", "remount,ro", "/sys/fs/cgroup")


@contextmanager
def instance(environment: Mapping[str, str]) -> Iterator[Instance]:
    """A machine with a blank volume; both are removed at the end.

    Args:
        environment: variables for all units of dockercise on it, and for root: credentials, and where AWS is.
    """
    image = ensure_instance_image()
    mount_controllers()
    client = engine_client()
    name = f"dockercise-test-instance-{uuid4().hex[:8]}"
    volume = client.volumes.create(name)
    container = client.containers.create(
        image,
        name=name,
        hostname="host",
        environment={"container": "docker", **environment},
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],  # it may be missing here already, and nothing needs it
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        cgroupns="host",
        volumes={
            "/sys/fs/cgroup": {"bind": "/sys/fs/cgroup"},
            name: {"bind": VOLUME},
            str(wheels()): {"bind": WHEELS, "mode": "ro"},
        },
        tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec"},
        stop_signal="SIGRTMIN+3",  # how systemd is told to power off
        tty=True,
    )
    made = Instance(client, container)
    made.put("/etc/dockercise/local.env", "".join(f"{key}={value}\n" for key, value in environment.items()).encode(), 0o600)
    try:
        yield made
    finally:
        container.remove(force=True, v=True)
        volume.remove(force=True)
        client.close()
