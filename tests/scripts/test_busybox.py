"""The image that the demo builds if no registry answers."""

from __future__ import annotations

import io
import tarfile

from scripts.busybox import image_tar


def _entries(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: entry for entry in tar}


def test_each_applet_is_a_link_to_busybox() -> None:
    """Every command name of busybox is a link to it."""
    entries = _entries(image_tar(b"program", ["sh", "ls"]))

    assert {name: entry.linkname for name, entry in entries.items() if entry.issym()} == {
        "bin/ls": "busybox",
        "bin/sh": "busybox",
    }
    assert entries["bin/busybox"].mode == 0o755


def test_busybox_is_no_link_to_itself() -> None:
    """The program lists its own name among its commands; a link with that name would replace the program."""
    entries = _entries(image_tar(b"program", ["busybox", "sh"]))

    assert entries["bin/busybox"].isreg()


def test_anyone_may_write_to_tmp() -> None:
    """Stages that run as a user other than root have a place for temporary files."""
    assert _entries(image_tar(b"", []))["tmp"].mode == 0o1777


def test_the_same_busybox_gives_the_same_image() -> None:
    """Neither a clock nor the order of a file system changes the image."""
    assert image_tar(b"program", ["sh", "ls"]) == image_tar(b"program", ["ls", "sh"])
