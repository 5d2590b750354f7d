"""Everything that a run leaves and prints, as bytes, to search it for secrets."""

from __future__ import annotations

import base64
import io
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from zstandard import ZstdDecompressor


def forms(secret: str) -> Iterator[bytes]:
    """The forms in which a secret could leak."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    for before in (b"", b"x", b"xy"):
        encoded = base64.b64encode(before + secret.encode()).rstrip(b"=")
        yield encoded[4:-2]


def unpacked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files by name. Compressed files are included both compressed and unpacked."""
    everything = dict(files)
    for name, content in files.items():
        if name.endswith(".zst"):
            with ZstdDecompressor().stream_reader(content) as reader:
                everything[f"{name} unpacked"] = reader.read()
        elif name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as bundle:
                everything |= {f"{name}!{entry}": bundle.read(entry) for entry in bundle.namelist()}
    return everything


def database(data: Path) -> bytes:
    """Everything that the local server of a data folder has stored: the bytes of its database, and a dump."""
    files = [path for path in data.rglob("*.db*") if path.is_file()]
    assert files, f"no database below {data}"
    dumps = []
    for path in files:
        if path.suffix == ".db":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                dumps.append("\n".join(connection.iterdump()).encode("utf-8", "replace"))
    return b"".join([*(path.read_bytes() for path in files), *dumps])


def found(channels: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[tuple[str, str, bytes]]:
    """The secrets that were found: the channel, the secret and its form."""
    return [
        (channel, name, form)
        for channel, content in channels.items()
        for name, secret in secrets.items()
        for form in forms(secret)
        if form in content
    ]
