"""What the tests need beside `.venv`: an engine, and a few of Debian's packages.

Runs on `.venv`'s Python: `.venv/bin/python -m scripts.test_machine`.
"""

from __future__ import annotations

from scripts import debian
from scripts.console import run_script
from scripts.engine import ensure_engine

NEEDED = {
    "busybox": "busybox-static",  # the image of most stages
    "chromium": "chromium",  # Prefect's UI in a real browser
    "curl": "curl",  # deliveries sent by hand, as the documentation does
    "debootstrap": "debootstrap",  # the image of the AWS pipelines
    "docker-compose": "docker-compose",  # the deployment of one machine
    "dot": "graphviz",  # graphs drawn by Graphviz
    "git": "git",  # repositories that pipelines are found in
    "git-lfs": "git-lfs",  # files in LFS
    "jq": "jq",  # what a stage printed, read as the documentation does
    "ip": "iproute2",  # a bridge for a second engine
    "ssh-keygen": "openssh-client",  # deploy keys
    "npm": "npm",  # what GitHub publishes about itself: payloads of webhooks, the description of its API
    "openssl": "openssl",  # signs them
    "systemd-analyze": "systemd",  # judges units, without running any
    "unzip": "unzip",  # the bundle of a run
}
"""Command to Debian's package."""


def main() -> None:
    """Install what is missing and start an engine where none answers."""
    ensure_engine().close()
    debian.install(debian.missing_packages(NEEDED), "the tests")


if __name__ == "__main__":
    run_script(main)
