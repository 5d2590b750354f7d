"""The copy of the user's AWS folder, and the stages that get it."""

from pathlib import Path

import pytest

from dockercise_prefect.archives.tarball import Entry, File, Folder
from dockercise_prefect.errors import ExitStatus, UsageError
from dockercise_prefect.runtime.files.aws_folder import aws_entries
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.runtime.workspaces import Seen, run_all, sh, workspace


def contents(entries: list[Entry]) -> dict[str, bytes | None]:
    """Paths and their contents."""
    return {entry.path: b"".join(entry.content()) if isinstance(entry, File) else None for entry in entries}


def folder(home: Path, **files: str) -> Path:
    """An AWS folder; `__` in a name is a `/`."""
    for name, text in files.items():
        path = home / ".aws" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    return home


def test_everybody_in_the_container_may_read_and_nobody_write(tmp_path: Path) -> None:
    """Files are 0444 and folders 0555, whatever modes the user's own have."""
    entries = aws_entries(folder(tmp_path, config="c", sso__cache__token="t"), {})

    assert contents(entries) == {"config": b"c", "sso": None, "sso/cache": None, "sso/cache/token": b"t"}
    assert {entry.mode for entry in entries if isinstance(entry, File)} == {0o444}
    assert {entry.mode for entry in entries if isinstance(entry, Folder)} == {0o555}


def test_the_environment_says_where_the_two_files_are(tmp_path: Path) -> None:
    """`AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` replace the folder's own files and need no folder."""
    (tmp_path / "elsewhere").write_text("e")
    home = folder(tmp_path / "home", config="c", credentials="k")

    found = contents(aws_entries(home, {"AWS_CONFIG_FILE": str(tmp_path / "elsewhere")}))
    alone = contents(aws_entries(tmp_path, {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "elsewhere")}))

    assert found == {"config": b"e", "credentials": b"k"}
    assert alone == {"credentials": b"e"}


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    """Links are followed, since people keep their configuration elsewhere and link to it."""
    (tmp_path / "dotfiles").write_text("d")
    folder(tmp_path, config="c").joinpath(".aws/credentials").symlink_to(tmp_path / "dotfiles")

    assert contents(aws_entries(tmp_path, {})) == {"config": b"c", "credentials": b"d"}


@pytest.mark.parametrize("environment", [{}, {"AWS_CONFIG_FILE": "/nowhere/config"}])
def test_no_folder_is_an_error(tmp_path: Path, environment: dict[str, str]) -> None:
    """If there is nothing to copy, the user asked for something that does not exist."""
    with pytest.raises(UsageError, match="--aws") as caught:
        aws_entries(tmp_path, environment)

    assert caught.value.exit_status is ExitStatus.WRONG_INPUT


def test_aws_is_there_when_asked_for(scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--aws` gives every stage a read-only copy in two places, and variables that name the one that everybody can reach."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[default]")
    seen = Seen("/root/.aws/credentials", "/run/dockercise-aws/credentials")
    scripted.script("look", Behaviour(action=seen))
    a = sh("a", "look", env={"AWS_CONFIG_FILE": "/own"})

    with workspace(scripted, a, aws=True) as ran:
        ran.run(a)

    assert set(seen.files.values()) == {b"[default]"}
    assert scripted.specs[-1].env["AWS_SHARED_CREDENTIALS_FILE"] == "/run/dockercise-aws/credentials"
    assert scripted.specs[-1].env["AWS_CONFIG_FILE"] == "/own"
    assert [mount.read_only for mount in scripted.specs[-1].mounts] == [False, True, True]


def test_no_aws_by_default(scripted: ScriptedEngine) -> None:
    """Without the option, nothing of the user's AWS folder reaches a stage."""
    run_all(scripted, sh("a", "x"))

    assert "aws" not in repr(scripted.specs).lower()


def test_aws_without_a_folder_starts_nothing(scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes before any container."""
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(UsageError), workspace(scripted, sh("a", "x"), aws=True):
        pass

    assert scripted.calls["run"] == 0
