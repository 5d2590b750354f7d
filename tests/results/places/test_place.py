"""Places of results, in the form in which users write them."""

from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.opening import open_store
from dockercise_prefect.results.places.place import check_outside, shown
from dockercise_prefect.settings import read_settings


def url_of(place: str) -> str:
    return open_store(place, "hello", "run-1", read_settings(), print).url


def test_a_folder_and_its_url_are_one_place(tmp_path: Path) -> None:
    """A folder, its `file://` URL, and this URL with `localhost` keep the record in the same place."""
    expected = (tmp_path / "my ☃" / "hello" / "run-1").as_uri()

    assert url_of(f"{tmp_path}/my ☃") == expected
    assert url_of((tmp_path / "my ☃").as_uri()) == expected
    assert url_of((tmp_path / "my ☃").as_uri().replace("file://", "file://localhost")) == expected


def test_a_relative_folder_is_below_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL of a record is absolute, even if the folder was written as a relative path."""
    monkeypatch.chdir(tmp_path)

    assert url_of("out") == (tmp_path / "out" / "hello" / "run-1").as_uri()


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that no shell has expanded, for example a parameter of a flow run, may begin with `~`."""
    monkeypatch.setenv("HOME", str(tmp_path))

    assert url_of("~/out") == (tmp_path / "out" / "hello" / "run-1").as_uri()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://", "it does not name a bucket"),
        ("s3://key:secret@bucket", "the place cannot have credentials or a port"),
        ("s3://key:sec/ret@bucket", "the place cannot have credentials or a port"),
        ("s3://Bucket/x", "`Bucket` cannot be the name of a bucket"),
        ("s3://10.0.0.1/x", "cannot be the name of a bucket"),
        ("s3://bucket/a/../b", "an empty part, `.` or `..`"),
        ("s3://bucket/a//b", "an empty part, `.` or `..`"),
        ("s3://bucket/a?b", "a character that is not allowed"),
        ("s3://bucket/" + "a" * 301, "its prefix is longer than 300 bytes"),
        ("ftp://host/x", "ftp:// is not supported"),
        ("file://server/share", "that is not a folder on this machine"),
        ("file://", "that is not a folder on this machine"),
        ("file:///a?b", "that is not a folder on this machine"),
        ("http://[broken", "that is not a URL"),
        ("~nobody-of-that-name/x", "that home folder does not exist"),
        (" ", "is empty"),
    ],
)
def test_a_place_that_there_is_not_is_refused(place: str, said: str) -> None:
    """Any other place is a usage error that shows what is wrong and what to do."""
    with pytest.raises(UsageError, match=said.replace("[", "\\[")) as raised:
        open_store(place, "hello", "run-1", read_settings(), print)

    assert raised.value.hint
    assert "sec" not in str(raised.value)


@pytest.mark.parametrize("place", ["", "results", "deep/er/../results", "link/results"])
def test_results_below_the_root_are_refused(tmp_path: Path, place: str) -> None:
    """The root itself, a folder below it, and a link to such a folder are refused as places of results."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(root)

    with pytest.raises(UsageError, match="that is below the root"):
        check_outside(f"{root}/{place}", root)


def test_a_link_from_elsewhere_into_the_root_is_refused(tmp_path: Path) -> None:
    """The real location of the folder counts."""
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "root")

    with pytest.raises(UsageError, match="that is below the root"):
        check_outside(str(tmp_path / "link" / "results"), tmp_path / "root")


def test_results_beside_the_root_are_fine(tmp_path: Path) -> None:
    """A folder next to the root whose name begins with the root's name is not below it."""
    check_outside(str(tmp_path / "root-results"), tmp_path / "root")

    assert not (tmp_path / "root-results").exists()


def test_a_record_is_shown_as_a_path_to_go_to() -> None:
    """A user sees the path of a folder, not its URL; any other place is shown as its URL."""
    assert shown("file:///home/me/my%20%E2%98%83/run-1") == "/home/me/my ☃/run-1"
    assert shown("s3://bucket/run%201") == "s3://bucket/run%201"
