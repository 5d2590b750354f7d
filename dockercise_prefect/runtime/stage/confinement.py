"""Limits for the stages of a run, besides processors, memory and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

from dockercise_prefect.errors import EngineError
from dockercise_prefect.quantities import shown_bytes
from dockercise_prefect.runtime.output_sink import Channel, OutputSink
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.status import StageStatus

IPNetwork: TypeAlias = IPv4Network | IPv6Network

METADATA: Final[tuple[IPNetwork, ...]] = (
    ip_network("169.254.0.0/16"),  # link-local (RFC 3927): AWS, Azure, Google Cloud, Oracle and others
    ip_network("100.100.100.200/32"),  # Alibaba Cloud
    ip_network("168.63.129.16/32"),  # Azure's own service for its machines
    ip_network("192.0.0.192/32"),  # Oracle's older machines
    ip_network("fd00:ec2::254/128"),  # AWS
    ip_network("fd20:ce::254/128"),  # Google Cloud
)
"""The addresses at which clouds give their machines information about themselves, including credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """The limits of a stage, and the addresses that it cannot reach.

    Attributes:
        pids: how many processes and threads it may have at once.
        output: how many bytes it may print; None for no limit.
        volume: how many bytes it may leave in its volume; None for no limit.
        closed: the networks that it cannot reach. If there are any, root in the container cannot send raw packets.
    """

    pids: int = 4096
    output: int | None = None
    volume: int | None = None
    closed: tuple[IPNetwork, ...] = ()

    @property
    def dropped(self) -> tuple[str, ...]:
        """The capabilities that root in the container does not have. With raw packets, it could bypass closed routes."""
        return ("NET_RAW",) if self.closed else ()

    def printing(self, sink: OutputSink, end: Callable[[Stop], None]) -> OutputSink:
        """The sink, up to the limit. At the limit, `end` is called once, and what follows is dropped."""
        return sink if self.output is None else _BoundedSink(sink, self.output, end)

    def leaving(self, files: Iterable[bytes]) -> Iterator[bytes]:
        """The stream of a volume's files, up to the limit.

        Raises:
            EngineError: the stream exceeds the limit.
        """
        size = 0
        for chunk in files:
            size += len(chunk)
            if self.volume is not None and size > self.volume:
                message = f"it is larger than the limit of {shown_bytes(self.volume)}"
                raise EngineError(message, "ask the operator to raise DOCKERCISE_UNTRUSTED_VOLUME")
            yield chunk


class _BoundedSink:
    def __init__(self, sink: OutputSink, bound: int, end: Callable[[Stop], None]) -> None:
        self._sink = sink
        self._bound = bound
        self._left = bound
        self._end = end

    def __call__(self, channel: Channel, chunk: bytes) -> None:
        """Take one chunk (`engine.OutputSink`)."""
        if self._left < 0:
            return
        self._sink(channel, chunk[: self._left])
        self._left -= len(chunk)
        if self._left < 0:
            message = f"it printed more than the limit of {shown_bytes(self._bound)} (DOCKERCISE_UNTRUSTED_OUTPUT)"
            self._end(Stop(StageStatus.FAILED, message))
