"""Programs of system calls, emulated on both kinds of processors, since a machine has only one of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
from unicorn import UC_ARCH_ARM64, UC_ARCH_X86, UC_HOOK_INSN, UC_HOOK_INTR, UC_MODE_64, UC_MODE_ARM, Uc  # type: ignore[attr-defined]  # it has no types
from unicorn.arm64_const import UC_ARM64_REG_X0, UC_ARM64_REG_X8
from unicorn.x86_const import (
    UC_X86_INS_SYSCALL,
    UC_X86_REG_R8,
    UC_X86_REG_R9,
    UC_X86_REG_R10,
    UC_X86_REG_RAX,
    UC_X86_REG_RDI,
    UC_X86_REG_RDX,
    UC_X86_REG_RSI,
)

from dockercise_prefect.runtime.network.holder import FILES, holder, route_to_nowhere
from dockercise_prefect.runtime.network.tiny_program import MACHINES, Program

AMD64 = {0: "read", 1: "write", 18: "pwrite64", 41: "socket", 77: "ftruncate", 91: "fchmod", 231: "exit_group", 257: "openat"}
ARM64 = {46: "ftruncate", 52: "fchmod", 56: "openat", 63: "read", 64: "write", 68: "pwrite64", 94: "exit_group", 198: "socket"}
"""The kernel's tables (`arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`)."""

AMD64_ARGUMENTS = [UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX, UC_X86_REG_R10, UC_X86_REG_R8, UC_X86_REG_R9]
ARM64_ARGUMENTS = [UC_ARM64_REG_X0 + number for number in range(6)]


@dataclass
class Kernel:
    """As much of Linux as the programs call: files by path, standard input, and what is written.

    Attributes:
        files: content by path.
        modes: of files, once they are changed.
        lines: what each read of standard input brings.
        sent: messages to netlink; `replies` are the answers to each.
        refuse: names of calls that are refused.
    """

    files: dict[str, bytes]
    lines: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    modes: dict[str, int] = field(default_factory=dict)
    printed: bytes = b""
    sent: list[bytes] = field(default_factory=list)
    exit_code: int | None = None
    before_read: Callable[[], None] = lambda: None
    _open: dict[int, str] = field(default_factory=dict)
    _read: dict[int, int] = field(default_factory=dict)

    def call(self, memory: Any, name: str, arguments: list[int]) -> int:  # noqa: PLR0911  one for each call
        """Return the result of a call."""
        first, second, third, fourth = (value - (1 << 64) if value >> 63 else value for value in arguments[:4])
        if name in self.refuse:
            return -1
        match name:
            case "read":
                data = self._next(first, third)
                memory.mem_write(second, data)
                return len(data)
            case "write":
                return self._write(first, bytes(memory.mem_read(second, third)))
            case "openat":
                path = bytes(memory.mem_read(second, 64)).partition(b"\0")[0].decode()
                if path not in self.files or (first, third) != (-100, 2):
                    return -2
                self._open[number := len(self._open) + 3] = path
                return number
            case "socket":
                self._open[number := len(self._open) + 3] = "netlink"
                return number
            case "ftruncate":
                path = self._open[first]
                self.files[path] = self.files[path][:second].ljust(second, b"\0")
            case "pwrite64":
                path, data = self._open[first], bytes(memory.mem_read(second, third))
                self.files[path] = self.files[path][:fourth] + data + self.files[path][fourth + third :]
                return third
            case "fchmod":
                self.modes[self._open[first]] = second
        return 0

    def _write(self, number: int, data: bytes) -> int:
        if number == 1:
            self.printed += data
        else:
            assert self._open[number] == "netlink"
            self.sent.append(data)
        return len(data)

    def _next(self, number: int, size: int) -> bytes:
        if number == 0:
            self.before_read()
            return self.lines.pop(0) if self.lines else b""
        if self._open[number] == "netlink":
            return self.replies.pop(0)
        begin = self._read.get(number, 0)
        self._read[number] = begin + size
        return self.files[self._open[number]][begin : begin + size]


def run(executable: bytes, machine: str, kernel: Kernel) -> Kernel:
    """Load the file as Linux does, and run it to its end."""
    kind_of_processor = (UC_ARCH_X86, UC_MODE_64) if machine == "amd64" else (UC_ARCH_ARM64, UC_MODE_ARM)
    emulator: Any = Uc(*kind_of_processor)  # type: ignore[no-untyped-call]  # it has no types
    entry, headers = struct.unpack_from("<QQ", executable, 24)
    size, count = struct.unpack_from("<HH", executable, 54)
    for number in range(count):
        kind, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", executable, headers + number * size
        )
        if kind == 1:
            start, end = address & ~0xFFFF, (address + in_memory + 0xFFFF) & ~0xFFFF
            emulator.mem_map(start, end - start, (flags & 4) >> 2 | flags & 2 | (flags & 1) << 2)
            emulator.mem_write(address, executable[offset : offset + in_file])

    def answer(names: dict[int, str], number: int, registers: Iterable[int], result: int) -> None:
        name, arguments = names[number], [emulator.reg_read(each) for each in registers]
        if name == "exit_group":
            kernel.exit_code = arguments[0]
            emulator.emu_stop()
        else:
            emulator.reg_write(result, kernel.call(emulator, name, arguments) % (1 << 64))

    if machine == "amd64":

        def syscall(_emulator: object, _data: object) -> None:
            answer(AMD64, emulator.reg_read(UC_X86_REG_RAX), AMD64_ARGUMENTS, UC_X86_REG_RAX)

        emulator.hook_add(UC_HOOK_INSN, syscall, None, 1, 0, UC_X86_INS_SYSCALL)
    else:

        def interrupt(_emulator: object, _number: int, _data: object) -> None:
            answer(ARM64, emulator.reg_read(UC_ARM64_REG_X8), ARM64_ARGUMENTS, UC_ARM64_REG_X0)

        emulator.hook_add(UC_HOOK_INTR, interrupt)
    emulator.emu_start(entry, 0, count=100_000)
    return kernel


@pytest.fixture(params=sorted(MACHINES))
def machine(request: pytest.FixtureRequest) -> str:
    """Each kind of processor in turn."""
    return str(request.param)


def network_files() -> dict[str, bytes]:
    """The files that the holder of a network finds."""
    return {path: f"of {path}\n".encode() for path in FILES}


def test_a_program_that_says_something(machine: str) -> None:
    """A program prints its data and ends."""
    program = Program()
    text = program.data(b"hello\n")
    program.need_equal(program.call("write", 1, text, 6), program.number(6))

    kernel = run(program.executable(machine), machine, Kernel({}))

    assert (kernel.printed, kernel.exit_code) == (b"hello\n", 1)


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("positive", 1, True),
        ("positive", 0, False),
        ("positive", -13, False),
        ("positive", 1 << 40, True),
        ("zero", 0, True),
        ("zero", 1, False),
        ("zero", 1 << 32, False),
    ],
)
def test_a_condition(machine: str, condition: str, value: int, holds: bool) -> None:
    """If a condition is false, nothing after it runs."""
    program = Program()
    cell, text = program.number(value), program.data(b"on")
    program.need_positive(cell) if condition == "positive" else program.need_zero(cell)
    program.call("write", 1, text, 2)

    kernel = run(program.executable(machine), machine, Kernel({}))

    assert (kernel.printed, kernel.exit_code) == (b"on" if holds else b"", 1)


def test_the_holder_puts_files_back(machine: str) -> None:
    """For each line, the holder writes back the original content and mode and repeats the line; it ends with its input."""
    kernel = Kernel(network_files(), [b"restore\n", b"restore\n", b"restore\n"])
    spoilt = iter([b"", b"evil", b"much longer and evil\n" * 3, b""])
    seen = []

    def spoil() -> None:
        seen.append(dict(kernel.files))
        kernel.files = dict.fromkeys(FILES, next(spoilt))

    kernel.before_read = spoil
    run(holder().executable(machine), machine, kernel)

    assert seen == [network_files()] * 4
    assert kernel.modes == dict.fromkeys(FILES, 0o644)
    assert (kernel.printed, kernel.exit_code) == (b"restore\n" * 3, 1)


@pytest.mark.parametrize("refused", ["openat", "ftruncate", "pwrite64", "fchmod"])
def test_the_holder_ends_where_it_is_refused(machine: str, refused: str) -> None:
    """The holder prints nothing if a call is refused, so that nobody takes the network for ready."""
    kernel = run(holder().executable(machine), machine, Kernel(network_files(), [b"restore\n"], refuse={refused}))

    assert (kernel.printed, kernel.exit_code) == (b"", 1)


@pytest.mark.parametrize("files", [{"/etc/hosts": b""}, {"/etc/resolv.conf": b"x" * 65_537}])
def test_the_holder_wants_files_that_it_can_put_back(machine: str, files: dict[str, bytes]) -> None:
    """A file that is empty, or longer than its memory, ends it immediately."""
    kernel = Kernel(network_files() | files, [b"restore\n"])
    run(holder().executable(machine), machine, kernel)

    assert (kernel.printed, kernel.exit_code) == (b"", 1)


def answer(number: int, error: int, asked: bytes) -> bytes:
    """The kernel's answer to a message of rtnetlink."""
    return struct.pack("<IHHIIi", 36, 2, 0x100, number, 0, error) + asked[:16]


CLOSED = [ip_network("169.254.0.0/16"), ip_network("fd00:ec2::254/128"), ip_network("100.100.100.200/32")]


@pytest.mark.parametrize(
    ("errors", "holds"), [((0, 0, 0), True), ((0, -95, 0), True), ((-1, 0, 0), False), ((0, 0, -17), False)]
)
def test_the_holder_closes_a_network(machine: str, errors: tuple[int, ...], holds: bool) -> None:
    """The holder closes the network first and holds only a closed one; IPv6 may be off."""
    orders = [route_to_nowhere(network, number) for number, network in enumerate(CLOSED)]
    replies = [answer(number, error, orders[number]) for number, error in enumerate(errors)]
    kernel = Kernel(network_files(), [b"restore\n"], replies)

    run(holder(CLOSED).executable(machine), machine, kernel)

    assert kernel.sent == orders[: len(kernel.sent)]
    assert kernel.printed == (b"restore\n" if holds else b"")
    assert len(kernel.sent) == (3 if holds or errors[2] else 1)


def test_a_route_as_the_kernel_reads_it() -> None:
    """The message is byte for byte that of `ip route add unreachable 169.254.0.0/16 proto static`."""
    sent = route_to_nowhere(ip_network("169.254.0.0/16"), 7)

    assert sent == bytes.fromhex("24000000 1800 0506 07000000 00000000 02 10 00 00 fe 04 00 07 00000000 0800 0100 a9fe0000")
