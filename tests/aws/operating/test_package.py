"""Packages: what the host installs, by name or as it runs here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dockercise_prefect.aws.operating.package import LOCK, Wheel, named_package, own_package
from dockercise_prefect.errors import UsageError
from tests.support.aws.moto import Aws

WHEEL = "dockercise_prefect-0.1.0-py3-none-any.whl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a wheel and its lock."""
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / WHEEL).write_bytes(b"a wheel")
    (folder / LOCK).write_text("# a lock")
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "dockercise-prefect",
        "dockercise-prefect==0.1.0",
        "dockercise-prefect @ git+https://git.example.org/dockercise.git@0123456789abcdef",
    ],
)
def test_requirements(text: str) -> None:
    """A requirement for this project is taken as it is."""
    assert named_package(text) == text


@pytest.mark.parametrize(
    "text", ["", "requests", "dockercise-prefecture", 'dockercise-prefect; "x"', "dockercise-prefect\nrequests"]
)
def test_wrong_requirements(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A requirement for something else, or with characters that would change its meaning on the host, is refused."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match=r"is not a package|must have one wheel"):
        named_package(text)


def test_a_folder_with_a_wheel(folder: Path) -> None:
    """A folder is named by the digest of both files, so the same files have the same place, and others another."""
    first = named_package(str(folder))
    (folder / LOCK).write_text("# another lock")
    second = named_package(str(folder))

    assert isinstance(first, Wheel)
    assert isinstance(second, Wheel)
    assert first == second
    assert second.place.startswith("s3:host/")
    assert len(second.place) == len("s3:host/") + 64 + 1


@pytest.mark.parametrize("missing", [WHEEL, LOCK])
def test_a_folder_without_one_of_them(folder: Path, missing: str) -> None:
    """A folder without a wheel, or without its lock, is refused."""
    (folder / missing).unlink()

    with pytest.raises(UsageError, match=r"must have one wheel and its requirements\.lock"):
        named_package(str(folder))


@pytest.mark.docker
def test_upload(folder: Path, aws: Aws) -> None:
    """Both files are put into the bucket once; a second call finds them, and what is half there is completed."""
    aws.bucket("results")
    wheel, client = Wheel(folder / WHEEL, folder / LOCK), aws.client("s3")
    place = wheel.place.removeprefix("s3:")

    first, second = wheel.upload(client, "results"), wheel.upload(client, "results")
    client.delete_object(Bucket="results", Key=place + WHEEL)
    third = wheel.upload(client, "results")

    assert (first, second, third) == (True, False, True)
    assert aws.objects("results") == {place + WHEEL: b"a wheel", place + LOCK: b"# a lock"}


def test_what_runs_here(tmp_path: Path) -> None:
    """These tests run from the source, so the wheel of the source is built, with its lock."""
    package = own_package(tmp_path)

    assert isinstance(package, Wheel)
    names = zipfile.ZipFile(package.wheel).namelist()
    assert "dockercise_prefect/aws/stack/template.yaml" in names
    assert "dockercise_prefect/aws/prices.json" in names
    assert package.lock.read_bytes() == (Path(__file__).resolve().parents[3] / LOCK).read_bytes()
