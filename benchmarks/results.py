"""Measures how fast a volume is stored in the results, compared with `tar | zstd` of the same files.

    python benchmarks/results.py [--rounds 5] [--megabytes 256]

Half of the files are text that can be compressed, and half are random bytes. Each round does the same work, one after the
other: `tar -cf - FOLDER | zstd -3` to a file; a tar stream of the same files through the store of a run to a folder; the same
to a bucket of an S3 server on loopback (moto, a separate process), including the wait until it is there. Ratios are
calculated for each round, from megabytes a second. The table shows medians. The row of the bucket has no limit, since it
mostly measures the server.

The exit status is 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.opening import open_store
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.settings import Settings, read_settings
from tests.support.aws.separate_aws import separate_aws

AT_LEAST = 0.7
FILES = 64
CHUNK = 262_144
BUCKET = "results"
PIPELINE = Pipeline("big", [stage("build", image="busybox", run="make")])


def make_files(folder: Path, megabytes: int) -> None:
    """Make files of equal size. Every second one is text."""
    size = megabytes * 1024 * 1024 // FILES
    text = b"".join(b"%08d the quick brown fox jumps over the lazy dog %d\n" % (n, n * n) for n in range(40_000))
    for number in range(FILES):
        content = os.urandom(size) if number % 2 else (text * (size // len(text) + 1))[:size]
        (folder / f"file-{number}").write_bytes(content)


def tar(folder: Path) -> Iterator[bytes]:
    """A tar stream of the folder, made by another process, as an engine does."""
    command = ["tar", "-C", str(folder.parent), "-cf", "-", folder.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while chunk := process.stdout.read(CHUNK):
            yield chunk


def with_tools(folder: Path, target: Path) -> None:
    """Do the same with `tar` and `zstd`."""
    with target.open("wb") as file, subprocess.Popen(["zstd", "-q", "-3"], stdin=subprocess.PIPE, stdout=file) as zstd:
        subprocess.run(["tar", "-C", str(folder.parent), "-cf", "-", folder.name], stdout=zstd.stdin, check=True)
        assert zstd.stdin is not None
        zstd.stdin.close()


class Ours:
    """Stores a volume as a run does, and waits until it is in its place."""

    def __init__(self, place: str, settings: Settings) -> None:
        self._place = place
        self._settings = settings
        self._runs = 0

    def __call__(self, folder: Path) -> None:
        """Store the folder as a volume."""
        self._runs += 1
        store: RunStore = open_store(self._place, "big", f"run-{self._runs}", self._settings, print)
        store.start(to_json(PIPELINE))
        store.keep_volume("build", tar(folder))
        store.settle()


def seconds(work: Callable[[], None]) -> float:
    """The duration of the work, in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Measure, print, and compare with the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=256)
    given = parser.parse_args()
    if shutil.which("zstd") is None:
        print("zstd is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = scratch / "build"
        folder.mkdir()
        make_files(folder, given.megabytes)
        os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
        os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
        with separate_aws(scratch / "aws.log") as (url, client):
            client.create_bucket(Bucket=BUCKET)
            settings = replace(read_settings(), data=scratch / "data", s3_endpoint=url)
            ways = {"folder": Ours(str(scratch / "results"), settings), "bucket": Ours(f"s3://{BUCKET}", settings)}
            rates: dict[str, list[float]] = {"tar | zstd": [], "folder": [], "bucket": []}
            for _ in range(given.rounds):
                took = seconds(lambda: with_tools(folder, scratch / "tools.tar.zst"))
                rates["tar | zstd"].append(given.megabytes / took)
                for way, keep in ways.items():
                    rates[way].append(given.megabytes / seconds(lambda keep=keep: keep(folder)))  # type: ignore[misc]  # a default has no type
    print(f"{'':12} {'MB/s':>8} {'ratio':>7} {'at least':>9}")
    ratio = 0.0
    for way, measured in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(measured, rates["tar | zstd"], strict=True)]
        bound = f"{AT_LEAST:9.2f}" if way == "folder" else ""
        print(f"{way:12} {statistics.median(measured):8.0f} {statistics.median(ratios):7.2f} {bound}")
        ratio = statistics.median(ratios) if way == "folder" else ratio
    return 0 if ratio >= AT_LEAST else 1


if __name__ == "__main__":
    raise SystemExit(main())
