"""One slot, with the program that keeps it open in memory."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from typing import Any

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.network.holder import LONGEST, Holder
from dockercise_prefect.runtime.network.routes import route_to_nowhere
from dockercise_prefect.runtime.network.slot import FILES, OUT, Slot
from tests.engines.files import Entry
from tests.engines.kernel import ORIGINAL, Kernel, PlayedHolder


class Talk:
    """A conversation with a holder in memory."""

    def __init__(self, kernel: Kernel) -> None:
        self._holder = PlayedHolder(kernel)
        self.is_closed = False

    def exchange(self, data: bytes, size: int) -> bytes:
        answer = self._holder.exchange(data)
        assert len(answer) == size
        return answer

    def close(self) -> None:
        self.is_closed = True


def a_kernel(**more: Any) -> Kernel:
    """A kernel with the files of a network and an empty `/out`."""
    files = {path: Entry("file", 0o644, data=data) for path, data in ORIGINAL.items()}
    return Kernel(files | {OUT: Entry("folder", 0o755)}, **more)


def slot_of(kernel: Kernel, *closed_to: str) -> Slot:
    """A slot whose holder has this kernel."""
    return Slot("c", "the-volume", Holder(Talk(kernel), "amd64"), [ip_network(each) for each in closed_to])


def in_out(kernel: Kernel) -> dict[str, bytes]:
    """What a stage sees in `/out`."""
    return {path.removeprefix(f"{OUT}/"): entry.data for path, entry in kernel.files.items() if path.startswith(f"{OUT}/")}


@pytest.mark.parametrize("spoilt", [b"", b"evil", b"much longer and evil\n" * 3])
def test_files_are_put_back(spoilt: bytes) -> None:
    """The slot writes back the original content and mode of its files."""
    kernel = a_kernel()
    slot = slot_of(kernel)
    kernel.files.update({path: Entry("file", 0o600, data=spoilt) for path in FILES})

    assert slot.restore()
    assert {path: (kernel.files[path].mode, kernel.files[path].data) for path in FILES} == {
        path: (0o644, data) for path, data in ORIGINAL.items()
    }


@pytest.mark.parametrize("refused", ["ftruncate", "pwrite64", "fchmod"])
def test_a_slot_that_cannot_put_its_files_back(refused: str) -> None:
    """If the kernel refuses a call, nobody takes the network for ready."""
    kernel = a_kernel()
    slot = slot_of(kernel)
    kernel.refuse = {refused}

    assert not slot.restore()


@pytest.mark.parametrize("files", [{"/etc/hosts": b""}, {"/etc/resolv.conf": b"x" * LONGEST}])
def test_a_slot_wants_files_that_it_can_put_back(files: dict[str, bytes]) -> None:
    """A file that is empty, or longer than the holder's memory, makes the slot useless."""
    kernel = a_kernel()
    kernel.files.update({path: Entry("file", 0o644, data=data) for path, data in files.items()})

    with pytest.raises(EngineError, match=next(iter(files))):
        slot_of(kernel)


def test_out_of_one_stage_after_the_other() -> None:
    """Each stage finds exactly its own files in `/out`, read-only for everybody."""
    kernel = a_kernel()
    slot = slot_of(kernel)
    long = bytes(range(256)) * 1000

    first = slot.fill({"a": b"1\n", "empty": b""})
    seen = [in_out(kernel)]
    second = slot.fill({"a": b"2\n", "long": long})
    seen.append(in_out(kernel))

    assert (first, second) == ("the-volume", "the-volume")
    assert seen == [{"a": b"1\n", "empty": b""}, {"a": b"2\n", "long": long}]
    assert {entry.mode for path, entry in kernel.files.items() if path.startswith(f"{OUT}/")} == {0o444}


def test_out_that_is_the_same() -> None:
    """If the next stage needs the same files, they stay as they are."""
    kernel = a_kernel()
    slot = slot_of(kernel)
    slot.fill({"a": b"1"})
    before = kernel.files[f"{OUT}/a"]

    assert slot.fill({"a": b"1"}) == "the-volume"
    assert kernel.files[f"{OUT}/a"] is before


@pytest.mark.parametrize("refused", ["openat", "write", "close", "unlinkat"])
def test_out_that_cannot_be_written(refused: str) -> None:
    """If the kernel refuses a call, the stage does not get the volume."""
    kernel = a_kernel()
    slot = slot_of(kernel)
    slot.fill({"a": b"1"})
    kernel.refuse = {refused}

    assert slot.fill({"a": b"2"}) is None


def test_a_slot_that_is_closed() -> None:
    """Its container sees the end of its input, and so ends."""
    talk = Talk(a_kernel())
    slot = Slot("c", "the-volume", Holder(talk, "amd64"), [])
    was_open = not talk.is_closed

    slot.close()

    assert was_open
    assert talk.is_closed


CLOSED = ("169.254.0.0/16", "fd00:ec2::254/128", "100.100.100.200/32")


@pytest.mark.parametrize(
    ("errors", "holds"), [((0, 0, 0), True), ((0, -95, 0), True), ((-1, 0, 0), False), ((0, 0, -17), False)]
)
def test_a_network_that_is_closed(errors: tuple[int, ...], holds: bool) -> None:
    """The slot closes the network first, and can be used only if the kernel has accepted that; IPv6 may be off."""
    left = list(errors)

    def reply(message: bytes) -> bytes:
        error = left.pop(0)
        original = struct.pack("<I", len(message))
        return struct.pack("<IHHIIi", 36, 2, 0x100, 0, 0, error) + original + message[4:16]

    kernel = a_kernel(reply=reply)
    orders = [route_to_nowhere(ip_network(network), number) for number, network in enumerate(CLOSED)]

    if holds:
        assert slot_of(kernel, *CLOSED).restore()
    else:
        with pytest.raises(EngineError, match="does not close the network"):
            slot_of(kernel, *CLOSED)

    assert kernel.sent == orders[: len(kernel.sent)]
    assert len(kernel.sent) == (1 if errors[0] else 3)


def test_a_route_as_the_kernel_reads_it() -> None:
    """The message is byte for byte that of `ip route add unreachable 169.254.0.0/16 proto static`."""
    sent = route_to_nowhere(ip_network("169.254.0.0/16"), 7)

    assert sent == bytes.fromhex("24000000 1800 0506 07000000 00000000 02 10 00 00 fe 04 00 07 00000000 0800 0100 a9fe0000")
