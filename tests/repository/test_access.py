"""Secrets open repositories, and appear nowhere else."""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.errors import RepositoryError, UsageError
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.mirror import Mirror
from tests.support.hosts.git_hosts import http_host, redirecting, ssh_host
from tests.support.hosts.git_repository import git, make_bare_repository, make_repository

TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
SENT = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository, whose bare clone is `host/infra.git`."""
    work = make_repository(tmp_path / "work", {"a.txt": "one\n"}, branch="main")
    make_bare_repository(tmp_path / "host/infra.git", work)
    return work


def mirror_of(address: str, access: Access, tmp_path: Path) -> Mirror:
    """A mirror of a repository."""
    return Mirror(tmp_path / "data", parse_address(address, tmp_path), access)


def everything_below(folder: Path) -> bytes:
    """The content of all files in a folder."""
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_token_opens_a_repository_and_is_kept_nowhere(work: Path, tmp_path: Path) -> None:
    """A token is sent to the host and written to no file."""
    with http_host(tmp_path / "host", f"Basic {SENT}") as host:
        mirror = mirror_of(f"{host}/infra.git", Access("block", TOKEN), tmp_path)

        head = mirror.head(None)
        with mirror.checkout(head.commit, Extras("")) as folder:
            text = (folder / "a.txt").read_text()

    assert (head.name, text) == ("main", "one\n")
    kept = everything_below(tmp_path / "data")
    assert TOKEN.encode() not in kept
    assert SENT.encode() not in kept


def test_a_token_goes_to_no_host_that_its_host_redirects_to(work: Path, tmp_path: Path) -> None:
    """A moved repository is found at its new address, and the new host does not receive the token."""
    sent: list[str | None] = []
    commit = git(work, "rev-parse", "HEAD")

    with http_host(tmp_path / "host", None, sent) as other, redirecting(other) as host:
        mirror_of(f"{host}/infra.git", Access("block", TOKEN), tmp_path).fetch(commit)

    assert set(sent) == {None}


def test_the_helpers_of_the_user_do_not_learn_a_token(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's credential helpers, which could write down a working token, do not receive it from git."""
    (tmp_path / "settings").write_text(f"[credential]\n\thelper = store --file={tmp_path}/kept\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))

    with http_host(tmp_path / "host", f"Basic {SENT}") as host:
        mirror_of(f"{host}/infra.git", Access("block", TOKEN), tmp_path).head(None)

    assert not (tmp_path / "kept").exists()


def test_a_key_is_in_no_file_that_a_killed_process_would_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user can read the key while git runs, and the key is in no folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    address = parse_address("git@git.example.org:a/b", tmp_path)

    with Access("block", key).environment(address, tmp_path / "known_hosts") as environment:
        words = shlex.split(environment["GIT_SSH_COMMAND"])
        path = Path(words[words.index("-i") + 1])
        found = path.read_text(), path.stat().st_mode & 0o777, list(tmp_path.rglob("*"))

    assert found == (key, 0o600, [])
    assert not path.exists()


def test_a_token_that_opens_nothing_is_not_said(work: Path, tmp_path: Path) -> None:
    """The message names the block, never its content."""
    with http_host(tmp_path / "host", "Basic another") as host, pytest.raises(RepositoryError) as refused:
        mirror_of(f"{host}/infra.git", Access("my-block", TOKEN), tmp_path).head(None)

    said = str(refused.value)
    assert "does the Secret block `my-block` give access?" in said
    assert TOKEN not in said
    assert SENT not in said


def test_without_a_secret_git_asks_nobody(work: Path, tmp_path: Path) -> None:
    """A private repository is refused immediately, and the hint names what is missing."""
    with http_host(tmp_path / "host", f"Basic {SENT}") as host, pytest.raises(RepositoryError, match="--credentials"):
        mirror_of(f"{host}/infra.git", Access(), tmp_path).head(None)


@pytest.mark.parametrize(
    ("address", "secret", "said"),
    [
        ("http://git.example.org/a/b", TOKEN, "clear text"),
        ("git@git.example.org:a/b", TOKEN, "contains a token"),
        ("https://git.example.org/a/b", "-----BEGIN OPENSSH PRIVATE KEY-----", "contains a private key"),
        ("https://git.example.org/a/b", "two words", "neither a token nor a private key"),
        ("https://git.example.org/a/b", "", "neither a token nor a private key"),
    ],
)
def test_a_secret_that_does_not_fit_its_address_goes_nowhere(address: str, secret: str, said: str, tmp_path: Path) -> None:
    """A secret of the wrong kind is reported before any host is contacted."""
    with pytest.raises(UsageError, match=said):
        mirror_of(address, Access("block", secret), tmp_path).head(None)


@pytest.mark.docker
def test_a_deploy_key_opens_a_repository_over_ssh(work: Path, tmp_path: Path) -> None:
    """Only the deploy key counts, not the user's; it is removed afterwards, and the host is known from then on."""
    commit = git(work, "rev-parse", "HEAD")
    with ssh_host(tmp_path / "ssh") as host:
        address = f"{host.address}{tmp_path}/host/infra.git"

        with mirror_of(address, Access("key", host.key), tmp_path).checkout(commit, Extras("")) as folder:
            text = (folder / "a.txt").read_text()
        with pytest.raises(RepositoryError, match="cannot read"):
            mirror_of(address, Access("other", _another_key(tmp_path)), tmp_path).head(None)

    assert text == "one\n"
    assert (tmp_path / "data/known_hosts").read_text().startswith("[127.0.0.1]:")
    assert b"PRIVATE KEY" not in everything_below(tmp_path / "data")


@pytest.mark.docker
def test_the_agent_opens_a_repository_where_no_secret_is_named(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker can reach every repository that its user's own git can reach."""
    with ssh_host(tmp_path / "ssh") as host:
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
            _until_there(tmp_path / "agent")
            subprocess.run(["ssh-add", "-q", str(host.key_file)], check=True, env=os.environ)

            head = mirror_of(f"{host.address}{tmp_path}/host/infra.git", Access(), tmp_path).head("main")
        finally:
            agent.terminate()
            agent.wait()

    assert head.commit == git(work, "rev-parse", "HEAD")


@pytest.mark.docker
def test_a_host_whose_key_has_changed_is_refused(work: Path, tmp_path: Path) -> None:
    """A host is trusted the first time; later another host in its place is refused."""
    with ssh_host(tmp_path / "ssh") as host:
        port = host.address.rpartition(":")[2]
        (tmp_path / "data").mkdir(mode=0o700)
        other = (tmp_path / "ssh/user.pub").read_text().rsplit(" ", 1)[0]
        (tmp_path / "data/known_hosts").write_text(f"[127.0.0.1]:{port} {other}\n")

        with pytest.raises(RepositoryError, match="cannot read"):
            mirror_of(f"{host.address}{tmp_path}/host/infra.git", Access("key", host.key), tmp_path).head(None)


def _another_key(folder: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "another")], check=True)
    return (folder / "another").read_text()


def _until_there(path: Path) -> None:
    from tests.support.prefect.prefect_records import eventually

    eventually(path.exists, bool)
