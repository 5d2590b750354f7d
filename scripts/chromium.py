#!/usr/bin/env python3
"""Runs a Chromium that does not notice changes of network interfaces.

Docker creates and removes interfaces with every network and container. When this happens, Chromium fails all running requests
(`net::ERR_NETWORK_CHANGED`), and pages stay half empty. Chromium notices the change through a netlink socket. This program
makes the kernel refuse such sockets (seccomp(2)), and then executes Chromium.
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
"""Offsets in the data about a call that the kernel gives to a filter (`struct seccomp_data`)."""

SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of the call `socket`, by kind of machine. On other machines, Chromium runs without a filter."""


class Instruction(ctypes.Structure):
    """`struct sock_filter`."""

    _fields_ = [("code", ctypes.c_uint16), ("if_true", ctypes.c_uint8), ("if_false", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction))]


def refuse_netlink(call_number: int) -> None:
    """From now on, this process and its child processes cannot open netlink sockets.

    Args:
        call_number: the number of the call `socket` on this machine.

    Raises:
        OSError: the kernel does not accept the filter.
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
    os.execv(CHROMIUM, [CHROMIUM, *sys.argv[1:]])  # noqa: S606 - no shell is needed
