"""The program that holds a standing network: ours, from its first instruction to its last, and nothing of any image.

It opens the three files that an engine makes for a container's network and remembers what is in them. Then, for each line that
it reads, it writes them back, as whoever joined the network may have changed them, and repeats the line. It ends when its
input ends, and also when anything goes otherwise than it should, so that nobody joins a network that is not as it was.
"""

from __future__ import annotations

from typing import Final

from dockercise_prefect.runtime.tiny_program import Program

FILES: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""What Docker shares between containers with one network."""

LONGEST: Final = 65_536
"""Bytes of one of them, at most."""

MODE: Final = 0o644

_HERE: Final = -100
"""`AT_FDCWD`."""

_READ_WRITE: Final = 2
_STDIN, _STDOUT = 0, 1
_LINE: Final = 64


def holder() -> Program:
    """The program; its only input are lines of less than 64 bytes."""
    program = Program()
    kept = []
    for path in FILES:
        file = program.call("openat", _HERE, program.data(f"{path}\0".encode()), _READ_WRITE, 0)
        program.need_positive(file)
        text = program.room(LONGEST)
        size = program.call("read", file, text, LONGEST)
        program.need_positive(size)
        program.need_zero(program.call("read", file, program.room(1), 1))  # that was all of it
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
