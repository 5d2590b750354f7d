#!/usr/bin/env python3
"""Chromium that does not notice when network interfaces come and go.

Docker makes and removes interfaces with every network and container. Chromium fails all requests that are under way when
that happens (`net::ERR_NETWORK_CHANGED`), and pages stay half empty. It learns of it through a netlink socket; this program
makes the kernel refuse such sockets (seccomp(2)), and then becomes Chromium.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import sys

CHROMIUM = "/usr/bin/chromium"

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EAFNOSUPPORT

NUMBER_OF_THE_CALL, FIRST_ARGUMENT = 0, 16
"""Offsets into what the kernel shows a filter of a call (`struct seccomp_data`)."""

SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of the call `socket`, by the kind of machine; on others, Chromium runs as it is."""


class Instruction(ctypes.Structure):
    """`struct sock_filter`."""

    _fields_ = [("code", ctypes.c_uint16), ("if_true", ctypes.c_uint8), ("if_false", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction))]


def refuse_netlink(call_number: int) -> None:
    """From now on, this process and those that it starts get no netlink socket.

    Args:
        call_number: of the call `socket` on this machine.

    Raises:
        OSError: The kernel takes no filter.
    """
    instructions = (Instruction * 6)(
        Instruction(LOAD, 0, 0, NUMBER_OF_THE_CALL),
        Instruction(JUMP_IF_EQUAL, 0, 3, call_number),
        Instruction(LOAD, 0, 0, FIRST_ARGUMENT),
        Instruction(JUMP_IF_EQUAL, 0, 1, socket.AF_NETLINK),
        Instruction(RETURN, 0, 0, REFUSE),
        Instruction(RETURN, 0, 0, ALLOW),
    )
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(instructions), instructions)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


if __name__ == "__main__":
    if platform.machine() in SOCKET:
        refuse_netlink(SOCKET[platform.machine()])
    os.execv(CHROMIUM, [CHROMIUM, *sys.argv[1:]])  # noqa: S606 - no shell is wanted
