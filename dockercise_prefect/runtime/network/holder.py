"""The program that keeps a network open for stages. All of its instructions are our own, and nothing of it comes from an image.

It opens the three files that an engine makes for a container's network, and remembers what is in them. Then, for each line that
it reads, it writes the files back, since a container that joined the network may have changed them, and repeats the line. It
ends when its input ends. It also ends if anything goes wrong, so that no container joins a network that was changed.

It can also close the network to some addresses, before anything else: the kernel then has a route for them that leads nowhere.
A container that joins the network without `CAP_NET_ADMIN` cannot undo that.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from dockercise_prefect.runtime.network.tiny_program import Cell, Program
from dockercise_prefect.runtime.stage.confinement import IPNetwork

FILES: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""What Docker shares between containers with one network."""

LONGEST: Final = 65_536
"""The largest size of one of these files, in bytes."""

MODE: Final = 0o644

_HERE: Final = -100
"""`AT_FDCWD`."""

_READ_WRITE: Final = 2
_STDIN, _STDOUT = 0, 1
_LINE: Final = 64

# Routes in the kernel's format: netlink(7), rtnetlink(7), <linux/rtnetlink.h>, <linux/fib_rules.h>.
_AF_INET, _AF_INET6, _AF_NETLINK = 2, 10, 16
_SOCK_RAW: Final = 3
_NETLINK_ROUTE: Final = 0
_NEW_ROUTE: Final = 24
_REQUEST_ACK_CREATE_EXCL: Final = 0x1 | 0x4 | 0x400 | 0x200
_TABLE_MAIN: Final = 254
_BY_ADMINISTRATOR: Final = 4
_UNREACHABLE: Final = 7
_DESTINATION: Final = 1
_ERROR_AT: Final = 16
_ANSWER: Final = 4096


def route_to_nowhere(network: IPNetwork, number: int) -> bytes:
    """The message that makes a network unreachable.

    Args:
        number: of the message. The kernel repeats it in its answer.
    """
    address = network.network_address.packed
    family = _AF_INET if network.version == 4 else _AF_INET6  # noqa: PLR2004  the version's number is its name
    route = struct.pack("BBBBBBBBI", family, network.prefixlen, 0, 0, _TABLE_MAIN, _BY_ADMINISTRATOR, 0, _UNREACHABLE, 0)
    destination = struct.pack("HH", 4 + len(address), _DESTINATION) + address
    size = 16 + len(route) + len(destination)
    return struct.pack("<IHHII", size, _NEW_ROUTE, _REQUEST_ACK_CREATE_EXCL, number, 0) + route + destination


def holder(closed: Sequence[IPNetwork] = ()) -> Program:
    """The program. Its only input is lines of less than 64 bytes.

    Args:
        closed: what the network must not reach. For an IPv6 network, the program does not check whether the kernel accepts the
            route: if the kernel does not, IPv6 is off.
    """
    program = Program()
    if closed:
        kernel = program.call("socket", _AF_NETLINK, _SOCK_RAW, _NETLINK_ROUTE)
        program.need_positive(kernel)
        for number, network in enumerate(closed):
            message, answer = route_to_nowhere(network, number), program.room(_ANSWER)
            size = program.number(len(message))
            program.need_equal(program.call("write", kernel, program.data(message), len(message)), size)
            program.need_positive(program.call("read", kernel, answer, _ANSWER))
            if network.version == 4:  # noqa: PLR2004  the version's number is its name
                # The error, 4 bytes that are 0, then the header of the original message, which begins with its size.
                program.need_equal(Cell(answer + _ERROR_AT), program.number(len(message) << 32))
    kept = []
    for path in FILES:
        file = program.call("openat", _HERE, program.data(f"{path}\0".encode()), _READ_WRITE, 0)
        program.need_positive(file)
        text = program.room(LONGEST)
        size = program.call("read", file, text, LONGEST)
        program.need_positive(size)
        program.need_zero(program.call("read", file, program.room(1), 1))  # nothing more can be read: that was the whole file
        kept.append((file, text, size))
    line = program.room(_LINE)
    again = program.here()
    read = program.call("read", _STDIN, line, _LINE)
    program.need_positive(read)
    for file, text, size in kept:
        program.need_zero(program.call("ftruncate", file, size))
        program.need_equal(program.call("pwrite64", file, text, size, 0), size)
        program.need_zero(program.call("fchmod", file, MODE))
    program.need_equal(program.call("write", _STDOUT, line, read), read)
    program.go_to(again)
    return program
