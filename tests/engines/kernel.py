"""As much of Linux as the program that keeps a network open calls, and that program in memory, for the scripted engine."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from dockercise_prefect.runtime.network.holder import DATA
from dockercise_prefect.runtime.network.slot import FILES
from tests.engines.files import Entry

AMD64 = {
    0: "read",
    1: "write",
    3: "close",
    18: "pwrite64",
    41: "socket",
    77: "ftruncate",
    91: "fchmod",
    231: "exit_group",
    257: "openat",
    263: "unlinkat",
}
ARM64 = {
    35: "unlinkat",
    46: "ftruncate",
    52: "fchmod",
    56: "openat",
    57: "close",
    63: "read",
    64: "write",
    68: "pwrite64",
    94: "exit_group",
    198: "socket",
}
"""The kernel's tables (`arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`)."""

ORIGINAL = {path: f"of {path}\n".encode() for path in FILES}
"""The files of the network as the engine has made them."""

_NETLINK = "netlink"


class Memory(Protocol):
    """The memory of a process."""

    def mem_read(self, address: int, size: int) -> bytes | bytearray: ...

    def mem_write(self, address: int, data: bytes) -> None: ...


def _accept(message: bytes) -> bytes:
    """The kernel's answer to a message of rtnetlink that it has done."""
    return struct.pack("<IHHIIiI", 36, 2, 0x100, 0, 0, 0, len(message))


@dataclass
class Kernel:
    """The calls of one process.

    Attributes:
        files: by absolute path.
        pieces: what each read of standard input brings.
        reply: answers a message to netlink.
        refuse: names of calls that are refused.
        printed: what was written to standard output.
        sent: messages to netlink.
    """

    files: MutableMapping[str, Entry]
    pieces: list[bytes] = field(default_factory=list)
    reply: Callable[[bytes], bytes] = _accept
    refuse: Collection[str] = ()
    printed: bytes = b""
    sent: list[bytes] = field(default_factory=list)
    _open: dict[int, str] = field(default_factory=dict)
    _at: dict[int, int] = field(default_factory=dict)

    def call(self, memory: Memory, name: str, arguments: list[int]) -> int:
        """Return the result of a call."""
        if name in self.refuse:
            return -errno.EPERM
        try:
            return self._calls[name](memory, *arguments[:4])
        except KeyError:  # no such open file
            return -errno.EBADF

    @cached_property
    def _calls(self) -> Mapping[str, Callable[[Memory, int, int, int, int], int]]:
        return {
            "read": lambda memory, number, address, size, _: self._read(memory, number, address, size),
            "write": lambda memory, number, address, size, _: self._write(number, bytes(memory.mem_read(address, size))),
            "pwrite64": lambda memory, number, address, size, at: self._change(
                number, bytes(memory.mem_read(address, size)), at
            ),
            "openat": self._opened,
            "unlinkat": self._unlinked,
            "socket": lambda *_: self._number_of(_NETLINK),
            "close": lambda _, number, *__: self._closed(number),
            "ftruncate": lambda _, number, size, *__: self._set(number, data=self._data(number)[:size].ljust(size, b"\0")),
            "fchmod": lambda _, number, mode, *__: self._set(number, mode=mode),
        }

    def _opened(self, memory: Memory, folder: int, address: int, how: int, mode: int) -> int:
        name = _text(memory, address)
        path = name if folder < 0 else f"{self._open[folder]}/{name}"
        is_new = how == 0o301
        if is_new == (path in self.files):
            return -errno.EEXIST if is_new else -errno.ENOENT
        if is_new:
            self.files[path] = Entry("file", mode)
        return self._number_of(path)

    def _unlinked(self, memory: Memory, folder: int, address: int, *_: int) -> int:
        return 0 if self.files.pop(f"{self._open[folder]}/{_text(memory, address)}", None) else -errno.ENOENT

    def _closed(self, number: int) -> int:
        del self._open[number]
        return 0

    def _number_of(self, path: str) -> int:
        number = next(number for number in range(3, 99) if number not in self._open)
        self._open[number], self._at[number] = path, 0
        return number

    def _read(self, memory: Memory, number: int, address: int, size: int) -> int:
        data = self._input(size) if number == 0 else self._content(number, size)
        memory.mem_write(address, data)
        return len(data)

    def _input(self, size: int) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if piece[size:]:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def _content(self, number: int, size: int) -> bytes:
        if self._open[number] == _NETLINK:
            return self.reply(self.sent[-1])
        begin = self._at[number]
        self._at[number] += size
        return self._data(number)[begin : begin + size]

    def _write(self, number: int, data: bytes) -> int:
        if number == 1:
            self.printed += data
            return len(data)
        if self._open[number] == _NETLINK:
            self.sent.append(data)
            return len(data)
        self._at[number] += len(data)
        return self._change(number, data, self._at[number] - len(data))

    def _change(self, number: int, data: bytes, offset: int) -> int:
        before = self._data(number)
        self._set(number, data=before[:offset] + data + before[offset + len(data) :])
        return len(data)

    def _data(self, number: int) -> bytes:
        return self.files[self._open[number]].data

    def _set(self, number: int, **changes: Any) -> int:
        path = self._open[number]
        self.files[path] = replace(self.files[path], **changes)
        return 0


def _text(memory: Memory, address: int) -> str:
    return bytes(memory.mem_read(address, 256)).partition(b"\0")[0].decode("utf-8", "surrogateescape")


class _Room:
    """Memory from `DATA` on."""

    def __init__(self) -> None:
        self._bytes = bytearray(1 << 18)

    def mem_read(self, address: int, size: int) -> bytes:
        return bytes(self._bytes[address - DATA : address - DATA + size])

    def mem_write(self, address: int, data: bytes) -> None:
        self._bytes[address - DATA : address - DATA + len(data)] = data


class PlayedHolder:
    """Does what the program does on an `amd64` processor."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._memory = _Room()

    def exchange(self, requests: bytes) -> bytes:
        """What it prints when it is sent whole requests."""
        at = 0
        while at < len(requests):
            number, *arguments, size = struct.unpack_from("<8q", requests, at)
            at += 64
            self._memory.mem_write(DATA, requests[at : at + size])
            at += size
            result = self._kernel.call(self._memory, AMD64[number], arguments)
            self._kernel.printed += struct.pack("<q", result)
        printed, self._kernel.printed = self._kernel.printed, b""
        return printed
