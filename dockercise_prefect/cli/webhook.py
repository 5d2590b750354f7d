"""`webhook`: receives pushes, in the foreground."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

import click

from dockercise_prefect.cli.present.stream import ForgivingStream
from dockercise_prefect.settings import read_settings

SECRET = "DOCKERCISE_WEBHOOK_SECRET"  # noqa: S105  the variable's name


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8200, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 chooses a free one.")
def webhook(host: str, port: int) -> None:
    """Receive pushes from GitHub, Gitea, Forgejo and GitLab, and start runs for them.

    Send deliveries to / or /webhook; /health and /metrics show the state. An accepted delivery is saved on disk and runs once,
    even if Prefect is down or this process ends. DOCKERCISE_WEBHOOK_SECRET is the secret for repositories that were registered
    without one. Ctrl-C ends it with exit status 0.
    """
    from dockercise_prefect.hosts.senders import open_statuses
    from dockercise_prefect.http_server import address_of
    from dockercise_prefect.webhook.receiver import prefect_hub
    from dockercise_prefect.webhook.receiver.receiver import Receiver
    from dockercise_prefect.webhook.receiver.server import listen, serve

    settings = read_settings()
    secret = os.environ.pop(SECRET, None)  # child processes such as git do not need it
    log = _Log()
    with listen(host, port) as listener:
        receiver = Receiver(
            hub=prefect_hub.PrefectHub(settings),
            open_statuses=open_statuses,
            data=settings.data,
            own_secret=secret,
            say=log,
        )
        where = address_of(listener)
        receiver.start()
        try:
            asyncio.run(serve(receiver.app, listener, lambda: log(f"waiting for pushes at {where}")))
            log("ending")
        finally:
            receiver.stop()


class _Log:
    """Prints complete lines on standard output, each with its time. Thread-safe."""

    def __init__(self) -> None:
        self._stream = ForgivingStream(sys.stdout)
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._lock:
            self._stream.write(f"{moment} {line}\n")
            self._stream.flush()
