r"""Makes tiny programs for Linux: a sequence of system calls, as a static executable that needs no image.

    program = Program()
    text = program.data(b"hello\n")
    written = program.call("write", 1, text, 6)
    program.need_equal(written, program.number(6))
    executable = program.executable("arm64")

A program is written once, in these steps, and encoded for either processor. So no compiler is needed, and the package has no
binary. Values are in memory, 8 bytes each. A step loads its arguments into registers, and stores its result in memory. If a
condition does not hold, the program goes to an earlier step, or ends with exit code 1. It also ends with exit code 1 after its
last step.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

_HEADERS: Final = 0x140
"""Bytes of the file before the data: the ELF header and the headers of four segments."""

_CODE_AT: Final = 0x40_0000
_DATA_AT: Final = 0x80_0000
_ROOM_AT: Final = 0x100_0000
"""Addresses of the segments. They are far apart, so that two segments never share a page, whatever the size of a page is."""

_PAGE: Final = 0x1_0000
"""The largest page that either processor has."""


@dataclass(frozen=True, slots=True)
class Cell:
    """8 bytes of memory at an address, which hold a value."""

    address: int


Argument: TypeAlias = int | Cell
"""Argument of a system call: a number, for example an address, or the value of a cell at the time of the call."""


@dataclass(frozen=True, slots=True)
class _Call:
    call: str | Cell
    arguments: tuple[Argument, ...]
    result: Cell


@dataclass(frozen=True, slots=True)
class _Sum:
    operation: str
    left: Argument
    right: Cell
    result: Cell


@dataclass(frozen=True, slots=True)
class _Unless:
    condition: str
    left: Cell
    right: Cell
    step: int | None
    """Where to go if the condition does not hold; None for the end."""


@dataclass(frozen=True, slots=True)
class _Jump:
    step: int


_Step: TypeAlias = _Call | _Sum | _Unless | _Jump


class Program:
    """A program that is being written."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._room = 0
        self._steps: list[_Step] = []
        self._zero = self.number(0)

    def data(self, content: bytes) -> int:
        """Add bytes to the program's file. Returns their address in memory."""
        address = _DATA_AT + _HEADERS + len(self._data)
        self._data += content + bytes(-len(content) % 8)
        return address

    def number(self, value: int) -> Cell:
        """Add a cell that has a number as its initial value."""
        return Cell(self.data(struct.pack("<q", value)))

    def room(self, size: int) -> int:
        """Reserve memory that is zero at first. Returns its address."""
        address = _ROOM_AT + self._room
        self._room += size + -size % 8
        return address

    def call(self, call: str | Cell, *arguments: Argument) -> Cell:
        """Add a system call. The cell has the kernel's answer, which is negative if the kernel refuses.

        Args:
            call: its name, or the cell with its number.
        """
        result = Cell(self.room(8))
        self._steps.append(_Call(call, arguments, result))
        return result

    def copy(self, value: Argument) -> Cell:
        """Add a step that copies a value. The cell has the copy."""
        result = Cell(self.room(8))
        self._steps.append(_Sum("add", value, self._zero, result))
        return result

    def add(self, cell: Cell, other: Cell) -> None:
        """Add the value of another cell to that of the cell."""
        self._steps.append(_Sum("add", cell, other, cell))

    def subtract(self, cell: Cell, other: Cell) -> None:
        """Subtract the value of another cell from that of the cell."""
        self._steps.append(_Sum("subtract", cell, other, cell))

    def need_equal(self, left: Cell, right: Cell) -> None:
        """End the program unless both cells have the same value."""
        self._steps.append(_Unless("equal", left, right, None))

    def need_positive(self, cell: Cell) -> None:
        """End the program unless the cell's value is greater than 0."""
        self._steps.append(_Unless("greater", cell, self._zero, None))

    def repeat_until_zero(self, cell: Cell, place: int) -> None:
        """Go back to a place, unless the cell's value is 0."""
        self._steps.append(_Unless("equal", cell, self._zero, place))

    def here(self) -> int:
        """The place of the next step, to go back to."""
        return len(self._steps)

    def go_to(self, place: int) -> None:
        """Continue at a place."""
        self._steps.append(_Jump(place))

    def executable(self, machine: str) -> bytes:
        """The program as an ELF file.

        Args:
            machine: the processor as engines call it, one of `MACHINES`.
        """
        code = _encoded([*self._steps, _Call("exit_group", (1,), Cell(self._zero.address))], _MACHINES[machine])
        code_offset = _HEADERS + len(self._data)
        segments = [
            _segment(_READ | _EXECUTE, code_offset, _CODE_AT + code_offset, len(code), len(code)),
            _segment(_READ | _WRITE, _HEADERS, _DATA_AT + _HEADERS, len(self._data), len(self._data)),
            _segment(_READ | _WRITE, 0, _ROOM_AT, 0, max(self._room, 8)),
            struct.pack("<IIQQQQQQ", _GNU_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16),
        ]
        header = struct.pack(
            "<16sHHIQQQIHHHHHH",
            b"\x7fELF\x02\x01\x01",
            _EXECUTABLE,
            _MACHINES[machine].elf,
            1,
            _CODE_AT + code_offset,
            _ELF_HEADER,
            0,
            0,
            _ELF_HEADER,
            _SEGMENT_HEADER,
            len(segments),
            0,
            0,
            0,
        )
        return (header + b"".join(segments)).ljust(_HEADERS, b"\0") + bytes(self._data) + code


# The file's format: the ELF specification, and elf(5).

_EXECUTABLE: Final = 2
_LOAD: Final = 1
_GNU_STACK: Final = 0x6474_E551
_EXECUTE, _WRITE, _READ = 1, 2, 4
_ELF_HEADER: Final = 64
_SEGMENT_HEADER: Final = 56


def _segment(flags: int, offset: int, address: int, in_file: int, in_memory: int) -> bytes:
    return struct.pack("<IIQQQQQQ", _LOAD, flags, offset, address, address, in_file, in_memory, _PAGE)


# The processors: the manuals of AMD ("AMD64 Architecture Programmer's Manual") and Arm ("Arm Architecture Reference Manual for
# A-profile"), and syscall(2) for the registers.


@dataclass(frozen=True, slots=True)
class _Machine:
    """How steps become instructions.

    Attributes:
        elf: the processor's number in an ELF file.
        numbers: the numbers of the system calls.
        call: returns the instructions of a system call.
        sum: returns the instructions of a sum or a difference.
        unless: returns the instructions of a condition. It takes the distance to jump if the condition does not hold, counted
            from the end of these instructions.
        jump: returns the instructions of a jump. It takes the distance, counted from the end of these instructions.
    """

    elf: int
    numbers: Mapping[str, int]
    call: Callable[[Argument, Sequence[Argument], Cell], bytes]
    sum: Callable[[_Sum], bytes]
    unless: Callable[[_Unless, int], bytes]
    jump: Callable[[int], bytes]


def _encoded(steps: Sequence[_Step], machine: _Machine) -> bytes:
    """The instructions of all steps. The length of a step does not depend on where it jumps to."""

    def encode(step: _Step, distance: int) -> bytes:
        match step:
            case _Call(call, arguments, result):
                return machine.call(machine.numbers[call] if isinstance(call, str) else call, arguments, result)
            case _Sum():
                return machine.sum(step)
            case _Unless():
                return machine.unless(step, distance)
            case _Jump():
                return machine.jump(distance)

    starts = [0]
    for step in steps:
        starts.append(starts[-1] + len(encode(step, 0)))
    code = b""
    for step, end in zip(steps, starts[1:], strict=True):
        place = step.step if isinstance(step, _Jump | _Unless) else None
        target = starts[-2] if place is None else starts[place]  # the last step is the end
        code += encode(step, target - end)
    return code


_AMD64_ARGUMENTS: Final = (7, 6, 2, 10, 8, 9)
"""Numbers of the registers rdi, rsi, rdx, r10, r8, r9."""

_RAX: Final = 0


def _amd64_load(register: int, value: Argument) -> bytes:
    high, low = register >> 3, register & 7
    if isinstance(value, Cell):  # mov register, [address]
        return bytes([0x48 | high << 2, 0x8B, low << 3 | 4, 0x25]) + struct.pack("<i", value.address)
    return bytes([0x48 | high, 0xB8 | low]) + struct.pack("<Q", value % (1 << 64))  # movabs register, value


def _amd64_call(number: Argument, arguments: Sequence[Argument], result: Cell) -> bytes:
    loads = b"".join(map(_amd64_load, _AMD64_ARGUMENTS, arguments))
    return loads + _amd64_load(_RAX, number) + b"\x0f\x05" + _amd64_store(result)  # syscall


def _amd64_store(cell: Cell) -> bytes:
    return bytes([0x48, 0x89, 0x04, 0x25]) + struct.pack("<i", cell.address)  # mov [address], rax


def _amd64_sum(step: _Sum) -> bytes:
    operation = {"add": 0x03, "subtract": 0x2B}[step.operation]  # add, sub rax, [address]
    change = bytes([0x48, operation, 0x04, 0x25]) + struct.pack("<i", step.right.address)
    return _amd64_load(_RAX, step.left) + change + _amd64_store(step.result)


def _amd64_unless(step: _Unless, distance: int) -> bytes:
    compare = bytes([0x48, 0x3B, 0x04, 0x25]) + struct.pack("<i", step.right.address)  # cmp rax, [address]
    jump = {"equal": b"\x0f\x85", "greater": b"\x0f\x8e"}[step.condition]  # jne, jle
    return _amd64_load(_RAX, step.left) + compare + jump + struct.pack("<i", distance)


def _amd64_jump(distance: int) -> bytes:
    return b"\xe9" + struct.pack("<i", distance)


_X8, _X9, _X10, _X11 = 8, 9, 10, 11


def _arm64_words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def _arm64_load(register: int, value: Argument) -> bytes:
    if isinstance(value, Cell):  # ldr register, [x9]
        return _arm64_load(_X9, value.address) + _arm64_words(0xF940_0000 | _X9 << 5 | register)
    parts = [value % (1 << 64) >> 16 * place & 0xFFFF for place in range(4)]
    first = 0xD280_0000 | parts[0] << 5 | register  # movz
    return _arm64_words(first, *(0xF280_0000 | place << 21 | parts[place] << 5 | register for place in (1, 2, 3)))  # movk


def _arm64_call(number: Argument, arguments: Sequence[Argument], result: Cell) -> bytes:
    loads = b"".join(_arm64_load(register, value) for register, value in enumerate(arguments))
    return loads + _arm64_load(_X8, number) + _arm64_words(0xD400_0001) + _arm64_store(0, result)  # svc


def _arm64_store(register: int, cell: Cell) -> bytes:
    return _arm64_load(_X9, cell.address) + _arm64_words(0xF900_0000 | _X9 << 5 | register)  # str register, [x9]


def _arm64_sum(step: _Sum) -> bytes:
    operation = {"add": 0x8B00_0000, "subtract": 0xCB00_0000}[step.operation]  # add, sub x10, x10, x11
    change = _arm64_words(operation | _X11 << 16 | _X10 << 5 | _X10)
    return _arm64_load(_X10, step.left) + _arm64_load(_X11, step.right) + change + _arm64_store(_X10, step.result)


def _arm64_unless(step: _Unless, distance: int) -> bytes:
    compare = _arm64_words(0xEB00_001F | _X11 << 16 | _X10 << 5)  # cmp x10, x11
    condition = {"equal": 0x1, "greater": 0xD}[step.condition]  # ne, le
    # A branch counts from itself, in words.
    branch = _arm64_words(0x5400_0000 | ((distance + 4) // 4 & 0x7_FFFF) << 5 | condition)
    return _arm64_load(_X10, step.left) + _arm64_load(_X11, step.right) + compare + branch


def _arm64_jump(distance: int) -> bytes:
    return _arm64_words(0x1400_0000 | (distance + 4) // 4 & 0x3FF_FFFF)


_MACHINES: Final = {
    "amd64": _Machine(
        62,
        {
            "read": 0,
            "write": 1,
            "close": 3,
            "pwrite64": 18,
            "socket": 41,
            "ftruncate": 77,
            "fchmod": 91,
            "exit_group": 231,
            "openat": 257,
            "unlinkat": 263,
        },
        _amd64_call,
        _amd64_sum,
        _amd64_unless,
        _amd64_jump,
    ),
    "arm64": _Machine(
        183,
        {
            "unlinkat": 35,
            "ftruncate": 46,
            "fchmod": 52,
            "openat": 56,
            "close": 57,
            "read": 63,
            "write": 64,
            "pwrite64": 68,
            "exit_group": 94,
            "socket": 198,
        },
        _arm64_call,
        _arm64_sum,
        _arm64_unless,
        _arm64_jump,
    ),
}

MACHINES: Final = frozenset(_MACHINES)
"""Processors that programs can be made for."""


def number_of(call: str, machine: str) -> int:
    """The number of a system call on one of `MACHINES`."""
    return _MACHINES[machine].numbers[call]
