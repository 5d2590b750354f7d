"""A slot: a container that keeps a network namespace open, and a volume for `/out` of the stage that uses it.

The container runs the program `holder`. A stage that joins the network shares the files that an engine makes for it:
`/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`. The slot remembers what is in them, and writes it back before each stage.
Small files of `/out` are written in the same way, which is much faster than putting them into a volume through the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.network.holder import DATA, KEPT, LONGEST, CallRefusedError, Holder, SystemCall
from dockercise_prefect.runtime.network.routes import LONGEST_ANSWER, NETLINK, is_accepted, route_to_nowhere
from dockercise_prefect.runtime.stage.confinement import IPNetwork

FILES: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""What engines share between containers with one network."""

OUT: Final = "/.dockercise-out"
"""Where the volume is in the slot's container."""

_MODE: Final = 0o644
_READ_ONLY: Final = 0o444
_HERE: Final = -100
"""`AT_FDCWD`."""

_READ, _READ_WRITE, _NEW = 0, 2, 0o301
"""`O_RDONLY`, `O_RDWR`, `O_WRONLY | O_CREAT | O_EXCL`."""


class Slot:
    """A slot in use. One thread at a time.

    Args:
        container: its id.
        volume: the name of the volume at `OUT` in it, which is empty.
        holder: the program in it.
        closed_to: the networks that no stage may reach. If the kernel does not accept such a route for IPv6, IPv6 is off.

    Raises:
        EngineError: it is not usable.
    """

    def __init__(self, container: str, volume: str, holder: Holder, closed_to: Sequence[IPNetwork]) -> None:
        self.container = container
        self._volume = volume
        self._holder = holder
        self._in_out: Mapping[str, bytes] = {}
        try:
            self._close_to(closed_to)
            self._kept = [self._opened(path) for path in FILES]
            (self._folder,) = holder.call(_open(_HERE, OUT, _READ))
        except CallRefusedError as error:
            raise EngineError(f"the container that keeps it open cannot be used: {error}") from error

    def restore(self) -> bool:
        """Write its files back. False if the slot must not be used any more."""
        return self._does(list(self._restoring()))

    def fill(self, files: Mapping[str, bytes]) -> str | None:
        """Replace the content of its volume. Return the name of the volume; None if the slot must not be used any more.

        Args:
            files: the contents of the files, by their names.
        """
        if files == self._in_out:
            return self._volume
        calls = [*self._emptying(), *self._filling(files)]
        self._in_out = files
        return self._volume if self._does(calls) else None

    def close(self) -> None:
        """Let its container end."""
        self._holder.conversation.close()

    def _does(self, calls: Sequence[SystemCall]) -> bool:
        try:
            self._holder.call(*calls)
        except (CallRefusedError, EngineError):
            return False
        return True

    def _close_to(self, networks: Sequence[IPNetwork]) -> None:
        if not networks:
            return
        (kernel,) = self._holder.call(SystemCall("socket", NETLINK))
        for number, network in enumerate(networks):
            message = route_to_nowhere(network, number)
            _, size = self._holder.call(
                SystemCall("write", (kernel, DATA, len(message)), message, len(message)),
                SystemCall("read", (kernel, KEPT, LONGEST_ANSWER)),
            )
            answer = self._holder.memory(KEPT, size)
            if network.version == 4 and not is_accepted(answer, message):  # noqa: PLR2004  the version's number is its name
                raise CallRefusedError(f"the kernel does not close the network to {network}")
        self._holder.call(SystemCall("close", (kernel,), result=0))

    def _opened(self, path: str) -> tuple[int, bytes]:
        """The number and the content of a file of the engine."""
        (number,) = self._holder.call(_open(_HERE, path, _READ_WRITE))
        (size,) = self._holder.call(SystemCall("read", (number, KEPT, LONGEST)))
        if not 0 < size < LONGEST:  # otherwise there may be more
            raise CallRefusedError(f"{path} has {size} bytes or more")
        return number, self._holder.memory(KEPT, size)

    def _restoring(self) -> Iterator[SystemCall]:
        for number, content in self._kept:
            yield SystemCall("ftruncate", (number, len(content)), result=0)
            yield SystemCall("pwrite64", (number, DATA, len(content), 0), content, len(content))
            yield SystemCall("fchmod", (number, _MODE), result=0)

    def _emptying(self) -> Iterator[SystemCall]:
        for name in self._in_out:
            yield SystemCall("unlinkat", (self._folder, DATA, 0), _path(name), 0)

    def _filling(self, files: Mapping[str, bytes]) -> Iterator[SystemCall]:
        number = self._folder + 1  # the kernel gives the smallest number that is free
        for name, content in files.items():
            yield _open(self._folder, name, _NEW, number)
            for start in range(0, len(content), LONGEST):
                part = content[start : start + LONGEST]
                yield SystemCall("write", (number, DATA, len(part)), part, len(part))
            yield SystemCall("close", (number,), result=0)


def _open(folder: int, name: str, how: int, result: int | None = None) -> SystemCall:
    return SystemCall("openat", (folder, DATA, how, _READ_ONLY), _path(name), result)


def _path(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\0"
