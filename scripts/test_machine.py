"""Provides what the tests need in addition to `.venv`: an engine, and some Debian packages.

Runs on `.venv`'s Python: `.venv/bin/python -m scripts.test_machine`.
"""

from __future__ import annotations

from scripts import debian
from scripts.console import run_script
from scripts.engine import ensure_engine

NEEDED = {
    "busybox": "busybox-static",  # the image of most stages
    "chromium": "chromium",  # Prefect's UI in a real browser
    "curl": "curl",  # sends deliveries by hand, as in the documentation
    "debootstrap": "debootstrap",  # the image of the AWS pipelines
    "docker-compose": "docker-compose",  # the deployment of one machine
    "dot": "graphviz",  # graphs drawn by Graphviz
    "git": "git",  # repositories with pipelines
    "git-lfs": "git-lfs",  # files in LFS
    "jq": "jq",  # reads the output of a stage, as in the documentation
    "ip": "iproute2",  # a bridge for a second engine
    "ssh-keygen": "openssh-client",  # deploy keys
    "mkfs.ext4": "e2fsprogs",  # the volume that the host of a stack keeps
    "npm": "npm",  # data that GitHub publishes: payloads of webhooks, the description of its API
    "openssl": "openssl",  # signs deliveries
    "systemd-analyze": "systemd",  # checks units without running them
    "unzip": "unzip",  # the bundle of a run
}
"""Commands and their Debian packages."""


def main() -> None:
    """Install missing packages, and start an engine if none answers."""
    ensure_engine().close()
    debian.install(debian.missing_packages(NEEDED), "the tests")


if __name__ == "__main__":
    run_script(main)
