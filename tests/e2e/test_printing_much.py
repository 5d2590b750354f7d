"""Stages that print a lot: the process stays small, and their output is kept unchanged."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun

pytestmark = pytest.mark.docker

LINE = "2026-11-28 12:00:00 INFO shop.orders: order 1831 was packed in 17 ms, see /var/log/shop/orders.log"
QUIET = "dG9rZW4 dGhhdCBub2JvZHkgbWF5IHNlZQ, eW91IGRpZCBub3Qgc2VlIGl0, did you? All of this is secret. %"
MEGABYTE = 1_000_000

MEASURED = """
import os, pathlib, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
pathlib.Path(sys.argv[1]).write_text(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts a command and writes its peak of resident memory to a file, in KB.

It is a separate process: Linux counts for a process also the memory of its parent at its start, and pytest uses a lot.
"""

CHUNK = 65_536

PIPELINE = """
meta: {name: much, secrets: PASSWORD, defaults: {img: busybox}}
plain: {run: &print 'head -c REST /dev/zero | tr "\\0" x; yes "LINE" | head -c LINES'}
quiet: {noLog: true, run: 'head -c REST /dev/zero | tr "\\0" x; yes "QUIET" | head -c LINES'}
sensitive: {env: PASSWORD, run: *print}
check:
  after: [plain, quiet, sensitive]
  run: |
    set -e
    md5sum < /out/plain | grep -x "SHOWN  -"
    md5sum < /out/quiet | grep -x "SILENT  -"
    md5sum < /out/sensitive | grep -x "SHOWN  -"
"""


def printed(line: str, with_lines: int, without: int) -> Iterator[bytes]:
    """The output of a stage, in pieces."""
    many = f"{line}\n".encode() * 1_000
    for start in range(0, without, CHUNK):
        yield b"x" * min(CHUNK, without - start)
    for start in range(0, with_lines, len(many)):
        yield many[: with_lines - start]


def digest(pieces: Iterable[bytes]) -> str:
    """The MD5 sum, in the form of `md5sum`."""
    found = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def of_entries(path: Path) -> dict[str, str]:
    """The MD5 sum of each entry of a zip file."""
    found = {}
    with ZipFile(path) as bundle:
        for name in bundle.namelist():
            with bundle.open(name) as entry:
                found[name] = digest(iter(lambda entry=entry: entry.read(CHUNK), b""))  # type: ignore[misc]  # a default has no type
    return found


@pytest.mark.parametrize(
    ("with_lines", "without", "most"),
    [
        pytest.param(42 * MEGABYTE, 18 * MEGABYTE, 180_000, id="60 MB"),
        pytest.param(700 * MEGABYTE, 300 * MEGABYTE, 200_000, id="1 GB", marks=pytest.mark.acceptance),
    ],
)
@pytest.mark.usefixtures("busybox")
def test_what_a_stage_prints_is_never_whole_in_memory(
    environment: dict[str, str], tmp_path: Path, with_lines: int, without: int, most: int
) -> None:
    """However much stages print, with lines or without, the process needs less than 200 MB, and the record is exact."""
    expected = digest(printed(LINE, with_lines, without))
    texts = {
        "LINES": str(with_lines),
        "REST": str(without),
        "LINE": LINE,
        "QUIET": QUIET,
        "SHOWN": expected,
        "SILENT": digest(printed(QUIET, with_lines, without)),
    }
    (tmp_path / "much").mkdir()
    text = re.sub(r"\b(LINES|REST|LINE|QUIET|SHOWN|SILENT)\b", lambda found: texts[found[0]], PIPELINE)
    (tmp_path / "much/p.dockercise.yaml").write_text(text)
    measured = [sys.executable, "-c", MEASURED, str(tmp_path / "memory")]
    command = [sys.executable, "-m", "dockercise_prefect", "run", "--json", "--quiet", "-C", str(tmp_path / "much")]
    command += ["--env", "PASSWORD"]

    with (tmp_path / "stdout").open("wb") as out, (tmp_path / "stderr").open("wb") as err:
        variables = environment | {"PASSWORD": "correct horse battery"}
        process = subprocess.run([*measured, *command], env=variables, stdout=out, stderr=err, check=False)

    assert process.returncode == 0, (tmp_path / "stderr").read_text()[-2000:]
    summary = json.loads((tmp_path / "stdout").read_bytes())
    record = Path(summary["results"].removeprefix("file://"))
    assert int((tmp_path / "memory").read_text()) < most
    run = RecordedRun(FolderObjects(record.parents[1]), "much", record.name)
    assert digest(run.log("plain")) == digest(run.log("sensitive")) == expected
    assert {path.name for path in record.iterdir() if ".log" in path.name} == {
        "plain.log.zst",
        "sensitive.log.zst",
        "check.log",
    }
    assert {name: of for name, of in of_entries(record / "out.zip").items() if name != "check"} == {
        "plain": expected,
        "sensitive": expected,
    }
    kept = json.loads((record / "plain.json").read_bytes())
    assert kept["value"] is None
    assert f"{with_lines + without:,} bytes" in kept["left_out"]["value"]
    assert ".out has the full value" in kept["left_out"]["value"]
    assert (record / "sensitive.json").stat().st_size < 10_000
