"""Routes that lead nowhere, in the kernel's format: netlink(7), rtnetlink(7), <linux/rtnetlink.h>, <linux/fib_rules.h>."""

from __future__ import annotations

import struct
from typing import Final

from dockercise_prefect.runtime.stage.confinement import IPNetwork

NETLINK: Final = (16, 3, 0)
"""Arguments of socket(2): AF_NETLINK, SOCK_RAW, NETLINK_ROUTE."""

LONGEST_ANSWER: Final = 4096

_AF_INET, _AF_INET6 = 2, 10
_NEW_ROUTE: Final = 24
_REQUEST_ACK_CREATE_EXCL: Final = 0x1 | 0x4 | 0x400 | 0x200
_TABLE_MAIN: Final = 254
_BY_ADMINISTRATOR: Final = 4
_UNREACHABLE: Final = 7
_DESTINATION: Final = 1

_ANSWER: Final = struct.Struct("<IHHIIiI")
_ERROR: Final = 2


def route_to_nowhere(network: IPNetwork, number: int) -> bytes:
    """The message that makes a network unreachable.

    Args:
        network: the network.
        number: of the message. The kernel repeats it in its answer.
    """
    address = network.network_address.packed
    family = _AF_INET if network.version == 4 else _AF_INET6  # noqa: PLR2004  the version's number is its name
    route = struct.pack("BBBBBBBBI", family, network.prefixlen, 0, 0, _TABLE_MAIN, _BY_ADMINISTRATOR, 0, _UNREACHABLE, 0)
    destination = struct.pack("HH", 4 + len(address), _DESTINATION) + address
    size = 16 + len(route) + len(destination)
    return struct.pack("<IHHII", size, _NEW_ROUTE, _REQUEST_ACK_CREATE_EXCL, number, 0) + route + destination


def is_accepted(answer: bytes, message: bytes) -> bool:
    """Whether the kernel's answer to a message says that it has done it."""
    if len(answer) < _ANSWER.size:
        return False
    _size, kind, _flags, _number, _port, error, size = _ANSWER.unpack_from(answer)
    return (kind, error, size) == (_ERROR, 0, len(message))
