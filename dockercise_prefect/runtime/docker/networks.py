"""Networks on a Docker engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from docker import APIClient
from docker.errors import APIError, NotFound

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import RUN
from dockercise_prefect.runtime.docker.errors import engine_errors, explanation
from dockercise_prefect.runtime.docker.marks import is_our_network, marked

_NO_ADDRESSES: Final = ("non-overlapping", "predefined address pools")
"""What engines say if all their address ranges for networks are in use."""

_HINT: Final = (
    "each stage with `services` has a network while it runs: run fewer of them at once (`--jobs`), remove networks that nobody "
    "uses (`docker network prune`), or give the engine more addresses (`default-address-pools` in its daemon.json)"
)


def create_network(client: APIClient, name: str, labels: Mapping[str, str]) -> None:
    """See `ServiceEngine`.

    Raises:
        EngineError: the engine does not answer, or refuses.
    """
    doing = f"cannot create network {name}"
    with engine_errors(doing):
        try:
            client.create_network(name, driver="bridge", labels=marked(labels, name))
        except APIError as error:
            if any(words in explanation(error) for words in _NO_ADDRESSES):
                raise EngineError(f"{doing}: {explanation(error)}", _HINT) from error
            raise


def remove_network(client: APIClient, name: str) -> None:
    """See `ServiceEngine`.

    Raises:
        EngineError: the engine does not answer, or a container in the network runs.
    """
    with engine_errors(f"cannot remove network {name}"):
        try:
            client.remove_network(name)
        except NotFound:
            return


def our_networks(client: APIClient) -> list[Mapping[str, Any]]:
    """The networks that runs have made, as the engine lists them."""
    return [each for each in client.networks(filters={"label": RUN}) if is_our_network(each)]
