"""AWS on loopback: moto's server answers the protocol, and remembers what a pipeline did to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from moto.cloudformation.models import cloudformation_backends
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
FOLDER_KEY_ID = "AKIAFOLDERKEY0000001"
FOLDER_SECRET = "folder-secret-7Qw2Zx9Lm4Kp8Rt1Vb6Ny3Hj5Gd0Sa"


@dataclass(frozen=True)
class Aws:
    """A running server; `url` is its endpoint, on loopback."""

    url: str

    def stack_status(self, account: str, name: str) -> str | None:
        """The status of a CloudFormation stack of that account, None when there is no such stack."""
        stacks = cloudformation_backends[account][REGION].stacks.values()
        return next((str(stack.status) for stack in stacks if stack.name == name), None)

    def write_folder(self, folder: Path) -> Path:
        """Write an AWS folder, as `aws configure` makes one, whose default profile talks to this server; returns it."""
        folder.mkdir(mode=0o700, parents=True)
        config = folder / "config"
        config.write_text(f"[default]\nregion = {REGION}\noutput = json\nendpoint_url = {self.url}\n", encoding="ascii")
        credentials = folder / "credentials"
        credentials.write_text(
            f"[default]\naws_access_key_id = {FOLDER_KEY_ID}\naws_secret_access_key = {FOLDER_SECRET}\n", encoding="ascii"
        )
        for file in (config, credentials):
            file.chmod(0o600)
        return folder


@contextmanager
def running_aws() -> Iterator[Aws]:
    """An empty AWS for as long as the block lasts, on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        # What a server remembers is the process's: a second one starts with what the first was told.
        httpx.post(f"{url}/moto-api/reset").raise_for_status()
        yield Aws(url)
    finally:
        server.stop()
