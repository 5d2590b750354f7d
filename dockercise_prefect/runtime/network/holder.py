"""The program that keeps a network open for stages. All of its instructions are our own, and nothing of it comes from an image.

It makes the system calls that it is asked for, one after the other, and answers each with what the kernel returned. It ends
when its input ends. What it is asked for is in `slot`.

A request is eight numbers of 8 bytes: the number of the call, six arguments, and how many bytes of data follow, at least one.
The data are at `DATA` when the call is made. The answer is one number. What a call writes to standard output comes before its
answer.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dockercise_prefect.runtime.conversation import Exchange
from dockercise_prefect.runtime.network.tiny_program import Argument, Cell, Program, number_of

LONGEST: Final = 65_536
"""Bytes of data that a request has at most."""

STDIN, STDOUT = 0, 1

_NUMBERS: Final = 8
_NUMBER: Final = 8
_REQUEST: Final = struct.Struct("<8q")
_ANSWER: Final = struct.Struct("<q")


def _holder() -> tuple[Program, int, int]:
    program = Program()
    data, kept = program.room(LONGEST), program.room(LONGEST + _NUMBER)
    request = program.room(_REQUEST.size)
    numbers = [Cell(request + _NUMBER * place) for place in range(_NUMBERS)]
    again = program.here()
    _read_all(program, request, program.number(_REQUEST.size))
    _read_all(program, data, numbers[-1])
    answer = program.call(numbers[0], *numbers[1:-1])
    program.need_equal(program.call("write", STDOUT, answer.address, _ANSWER.size), program.number(_ANSWER.size))
    program.go_to(again)
    return program, data, kept


def _read_all(program: Program, address: Argument, size: Cell) -> None:
    """Read so many bytes of the input. They may come in pieces."""
    at, left = program.copy(address), program.copy(size)
    more = program.here()
    read = program.call("read", STDIN, at, left)
    program.need_positive(read)
    program.add(at, read)
    program.subtract(left, read)
    program.repeat_until_zero(left, more)


_PROGRAM, DATA, KEPT = _holder()
"""`DATA` is the address of the data of a request, and `KEPT` that of as much memory for what calls read."""


def holder(machine: str) -> bytes:
    """The program as an executable file for one of `tiny_program.MACHINES`."""
    return _PROGRAM.executable(machine)


@dataclass(frozen=True, slots=True)
class SystemCall:
    """A call that the holder is asked for.

    Attributes:
        name: of the call.
        arguments: six at most.
        data: what is at `DATA` meanwhile.
        result: what the kernel has to return; None for anything that is not an error.
    """

    name: str
    arguments: Sequence[int]
    data: bytes = b"\0"
    result: int | None = None

    def request(self, machine: str) -> bytes:
        """What the holder reads."""
        arguments = [*self.arguments, *[0] * (_NUMBERS - 2 - len(self.arguments))]
        return _REQUEST.pack(number_of(self.name, machine), *arguments, len(self.data)) + self.data

    def is_granted(self, result: int) -> bool:
        """Whether the kernel has returned what it had to."""
        return result >= 0 if self.result is None else result == self.result


class CallRefusedError(Exception):
    """The kernel returned something else than it had to."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Asks a running holder for system calls.

    Attributes:
        conversation: with its container.
        machine: the engine's processor, one of `tiny_program.MACHINES`.
    """

    conversation: Exchange
    machine: str

    def call(self, *calls: SystemCall) -> list[int]:
        """Let it make these calls, and return their results. They are asked for at once, so one that fails stops no other.

        Raises:
            CallRefusedError: the kernel did not return what it had to.
            EngineError: the container has ended, or does not answer in time.
        """
        requests = b"".join(call.request(self.machine) for call in calls)
        answers = self.conversation.exchange(requests, len(calls) * _ANSWER.size)
        results = [result for (result,) in _ANSWER.iter_unpack(answers)]
        for call, result in zip(calls, results, strict=True):
            if not call.is_granted(result):
                raise CallRefusedError(f"{call.name} returned {result}")
        return results

    def memory(self, address: int, size: int) -> bytes:
        """What is in its memory.

        Raises:
            EngineError: the container has ended, or does not answer in time.
        """
        request = SystemCall("write", (STDOUT, address, size)).request(self.machine)
        return self.conversation.exchange(request, size + _ANSWER.size)[:size]
