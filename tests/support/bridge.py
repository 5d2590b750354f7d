"""The address at which containers of the engine reach servers of this machine."""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_network

from tests.support.engine_client import engine_client


def bridge_address() -> str:
    """The address of this machine in the engine's own network."""
    with closing(engine_client()) as client:
        (bridge,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    # An engine that was started again may not say it.
    return str(bridge.get("Gateway") or next(ip_network(bridge["Subnet"]).hosts()))
