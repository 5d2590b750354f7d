"""What is said about folders, disks and buckets. Nothing is left there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus
from dockercise_prefect.orchestration.doctor.storage import StorageProbes, cache_check, folder_check, problem_with, unsent_check
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.record.unsent import UNSENT, Destination, UnsentRun
from dockercise_prefect.runtime.disk_room import Room
from dockercise_prefect.settings import Settings, read_settings
from scripts.console import NeedsRootError
from tests.support.aws.moto import Aws, running_aws


@pytest.mark.parametrize(
    ("free", "status"), [(2 * 10**9, "ok"), (2 * 10**9 - 1, "warning"), (199_999_999, "problem"), (0, "problem")]
)
def test_room_for_results(free: int, status: str) -> None:
    """Less than 2 GB is little; with less than 200 MB, records will be cut off."""
    check = folder_check("results", Path("/r"), None, Room("/r", free, 10**11))

    assert check.status is CheckStatus(status)
    assert check.facts == {"folder": "/r", "free_bytes": free, "size_bytes": 10**11}


def test_a_folder_that_can_be_written(tmp_path: Path) -> None:
    """Also one that does not exist yet: it is tried in the folder above, and nothing is left there."""
    assert problem_with(tmp_path) is None
    assert problem_with(tmp_path / "a" / "b") is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A file where the folder should be is a problem, and the hint names the setting."""
    (tmp_path / "results").write_text("")

    check = folder_check("results", tmp_path / "results", problem_with(tmp_path / "results"), None)

    assert check.status is CheckStatus.PROBLEM
    assert check.found == f"{tmp_path}/results cannot be written: Not a directory"
    assert "DOCKERCISE_RESULTS" in (check.hint or "")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    if os.geteuid() != 0:
        raise NeedsRootError("mounting a file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(disk: Path) -> None:
    """A full disk is a problem, as the system says it."""
    before = problem_with(disk)
    (disk / "big").write_bytes(bytes(64 * 1024))

    assert (before, problem_with(disk)) == (None, "No space left on device")


def test_a_read_only_disk(disk: Path) -> None:
    """A disk that cannot be written is a problem, also for root."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    assert problem_with(disk / "results") == "Read-only file system"


def test_records_that_wait(tmp_path: Path, data_settings: Settings) -> None:
    """Records that did not reach their bucket are counted, and the hint says how to send them."""
    run = UnsentRun(tmp_path / "data" / UNSENT / "20261122T190312Z-7f3a")
    run.begin(Destination("s3://b", "shop"))
    run.leave()

    (check,) = StorageProbes(data_settings).unsent()

    assert (check.status, check.facts) == (CheckStatus.WARNING, {"waiting": 1})
    assert check.found.startswith("1 record waits for a bucket")
    assert "`dockercise results push`" in (check.hint or "")
    assert unsent_check(0) == Check("unsent records", CheckStatus.OK, "none", facts={"waiting": 0})


def test_what_stages_have_left_is_measured(data_settings: Settings) -> None:
    """Contents are counted. If they are more than allowed, the hint says what removes them; that stops no run."""
    probes = StorageProbes(data_settings)
    before = list(probes.cache())
    Contents(open_objects(data_settings.results, data_settings)).keep_output(f"sha256:{'0' * 64}", [os.urandom(1000)])

    (check,) = probes.cache()

    assert before == [
        Check("cache", CheckStatus.OK, "0 B, at most 10g (cache_size)", None, {"size_bytes": 0, "limit_bytes": 10 << 30})
    ]
    assert (check.status, check.found) == (CheckStatus.OK, "1.0 kB, at most 10g (cache_size)")
    assert (cache_check(2, 1).status, cache_check(1, 1).hint) == (CheckStatus.OK, None)
    assert "`dockercise gc`" in (cache_check(2, 1).hint or "")


@pytest.fixture
def data_settings(tmp_path: Path) -> Settings:
    """The settings of a user with an own data folder."""
    return replace(read_settings(), data=tmp_path / "data", results=str(tmp_path / "data" / "results"))


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An AWS on loopback that the user's folder names."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with running_aws() as aws:
        aws.write_folder(tmp_path / ".aws")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield aws


@pytest.mark.docker  # for the server
def test_a_bucket(aws: Aws, data_settings: Settings) -> None:
    """A bucket is listed and an upload is begun there; no object and no part of one is left."""
    aws.bucket("of-mine")

    (check,) = StorageProbes(replace(data_settings, results="s3://of-mine/ci")).results()

    uploads = aws.client("s3").list_multipart_uploads(Bucket="of-mine")
    assert (check.status, check.found) == (CheckStatus.OK, "s3://of-mine/ci, can be read and written")
    assert aws.objects("of-mine") == {}
    assert "Uploads" not in uploads


@pytest.mark.docker  # for the server
def test_a_bucket_that_does_not_exist(aws: Aws, data_settings: Settings) -> None:
    """The message and the hint are those that a run would give."""
    with pytest.raises(StorageError) as caught:
        list(StorageProbes(replace(data_settings, results="s3://of-nobody")).results())

    assert caught.value.message.startswith("cannot list s3://of-nobody")
    assert caught.value.hint == "create the bucket, or choose another one with `--results`"
