"""Programs of system calls, emulated on both kinds of processors, since a machine has only one of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
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

from dockercise_prefect.runtime.network.holder import DATA, LONGEST, SystemCall, holder
from dockercise_prefect.runtime.network.tiny_program import MACHINES, Program
from tests.engines.files import Entry
from tests.engines.kernel import AMD64, ARM64, Kernel

AMD64_ARGUMENTS = [UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX, UC_X86_REG_R10, UC_X86_REG_R8, UC_X86_REG_R9]
ARM64_ARGUMENTS = [UC_ARM64_REG_X0 + number for number in range(6)]


def run(executable: bytes, machine: str, kernel: Kernel) -> int | None:
    """Load the file as Linux does, run it to its end, and return its exit code."""
    exit_code: int | None = None
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
        nonlocal exit_code
        name, arguments = names[number], [_signed(emulator.reg_read(each)) for each in registers]
        if name == "exit_group":
            exit_code = arguments[0]
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
    emulator.emu_start(entry, 0, count=1_000_000)
    return exit_code


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


@pytest.fixture(params=sorted(MACHINES))
def machine(request: pytest.FixtureRequest) -> str:
    """Each kind of processor in turn."""
    return str(request.param)


def test_a_program_that_says_something(machine: str) -> None:
    """A program prints its data and ends."""
    program = Program()
    text = program.data(b"hello\n")
    program.need_equal(program.call("write", 1, text, 6), program.number(6))

    kernel = Kernel({})
    exit_code = run(program.executable(machine), machine, kernel)

    assert (kernel.printed, exit_code) == (b"hello\n", 1)


@pytest.mark.parametrize(("value", "holds"), [(1, True), (0, False), (-13, False), (1 << 40, True)])
def test_a_condition(machine: str, value: int, holds: bool) -> None:
    """If a condition is false, nothing after it runs."""
    program = Program()
    cell, text = program.number(value), program.data(b"on")
    program.need_positive(cell)
    program.call("write", 1, text, 2)

    kernel = Kernel({})
    exit_code = run(program.executable(machine), machine, kernel)

    assert (kernel.printed, exit_code) == (b"on" if holds else b"", 1)


def test_a_loop(machine: str) -> None:
    """Steps are repeated until a cell is 0, and cells can be counted up and down."""
    program = Program()
    text, one = program.data(b"abcdef"), program.number(1)
    left, shown, size = program.number(3), program.copy(text), program.copy(one)
    again = program.here()
    program.call("write", 1, shown, size)
    program.add(shown, one)
    program.add(size, one)
    program.subtract(left, one)
    program.repeat_until_zero(left, again)

    kernel = Kernel({})
    exit_code = run(program.executable(machine), machine, kernel)

    assert (kernel.printed, exit_code) == (b"a" + b"bc" + b"cde", 1)


def results(printed: bytes) -> list[int]:
    """The answers of the holder."""
    return [number for (number,) in struct.iter_unpack("<q", printed)]


@pytest.mark.parametrize("piece", [1, 7, 64, 100_000])
def test_the_holder_makes_calls(machine: str, piece: int) -> None:
    """The holder makes each call that it is asked for, in whatever pieces its input comes, and ends with its input."""
    files = {"/a": Entry("file", 0o644, data=b"first")}
    calls = [
        SystemCall("openat", (-100, DATA, 2), b"/a\0"),
        SystemCall("pwrite64", (3, DATA, 6, 2), b"second"),
        SystemCall("openat", (-100, DATA, 2), b"/no\0"),
        SystemCall("close", (3,)),
    ]
    sent = b"".join(call.request(machine) for call in calls)
    kernel = Kernel(files, [sent[start : start + piece] for start in range(0, len(sent), piece)])

    exit_code = run(holder(machine), machine, kernel)

    assert (results(kernel.printed), exit_code) == ([3, 6, -2, 0], 1)
    assert files["/a"].data == b"fisecond"


def test_the_holder_takes_long_data(machine: str) -> None:
    """The data of a call may be as long as promised."""
    files = {"/a": Entry("file", 0o644)}
    long = bytes(range(256)) * (LONGEST // 256)
    calls = [SystemCall("openat", (-100, DATA, 2), b"/a\0"), SystemCall("write", (3, DATA, LONGEST), long)]
    kernel = Kernel(files, [b"".join(call.request(machine) for call in calls)])

    run(holder(machine), machine, kernel)

    assert results(kernel.printed) == [3, LONGEST]
    assert files["/a"].data == long


def test_the_holder_ends_in_the_middle_of_a_request(machine: str) -> None:
    """A call whose request is not complete is not made."""
    call = SystemCall("openat", (-100, DATA, 2), b"/a\0").request(machine)
    kernel = Kernel({"/a": Entry("file", 0o644)}, [call[:-1]])

    exit_code = run(holder(machine), machine, kernel)

    assert (kernel.printed, exit_code) == (b"", 1)
