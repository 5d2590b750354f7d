"""One bare mirror of each repository on this machine, shared by all processes, so that nothing is fetched twice."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypedDict, Unpack

from dockercise_prefect.errors import CommitMissingError, RepositoryError, RepositoryRefusedError, UsageError
from dockercise_prefect.git.context import READ_COMMIT, read_commit
from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import Address
from dockercise_prefect.repository.command import REMOTE, GitError, git
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.file_lock import LockTimeoutError, file_lock
from dockercise_prefect.repository.folders import make_folder
from dockercise_prefect.repository.known_hosts import FILE
from dockercise_prefect.repository.pull_request_refs import PullRequestRefs, PullRequestTips
from dockercise_prefect.repository.revision import Head, check_commit, check_ref

_LATEST = "refs/dockercise/latest"
"""The commit that was fetched last. The host sends only what is new since then."""

_REFUSED = re.compile(
    r"""
    Authentication\ failed | could\ not\ read\ (Username|Password) | Permission\ denied\ \( | Host\ key\ verification\ failed
    | [Rr]epository\b.*\bnot\ found | does\ not\ appear\ to\ be\ a\ git\ repository | URL\ returned\ error:\ 40[134]\b
    """,
    re.VERBOSE,
)
"""What git and ssh print if a host answers but refuses access. Their exit status is the same if the host is down."""

_LOCK_PATIENCE = 30 * 60
"""Seconds to wait for another process that fetches."""

_SWEEP_PATIENCE = 60
"""Seconds to wait for a sweep of another mirror. A sweep tries every lock that it finds, and may take a new one."""

_SHA256_DIGITS = 64

LONGEST_COMMIT = 1 << 20
"""Bytes of a commit whose message is read. A longer one is not written by people."""

ALL_COMMITS = 2**31 - 1
"""The depth that git takes for all of a history (its documentation of `fetch --depth`)."""

_NO_FILTERS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
"""The variables that make git ignore the user's settings when it writes a tree.

The tree's attributes could start a filter that the user's settings define.
"""


class Mirror:
    """The mirror of a repository.

    It may be used by several threads, and by several processes with the same folder. Hooks, settings and links of the
    repository have no effect.

    Args:
        folder: holds the mirrors and checkouts of this user; created if it does not exist, and readable by nobody else.
        address: address of the repository.
        access: the credentials for the repository.
        pull_request: the pull request whose commits are needed; None for the branches and tags of the repository.
    """

    def __init__(self, folder: Path, address: Address, access: Access, pull_request: PullRequestRefs | None = None) -> None:
        self._folder = folder
        self._address = address
        self._access = access
        self._pull_request = pull_request
        # A user with another secret, or with none, must not see what was fetched with this one. And nobody who asks for a
        # commit of the repository gets one that somebody else has pushed to a fork.
        of_forks = "\nforks" if pull_request is not None and pull_request.is_fork else ""
        told_apart = f"{address.url}\n{access.name or ''}{of_forks}"
        self._mirror = folder / f"{_file_name(address.name)}-{hashlib.sha256(told_apart.encode()).hexdigest()[:16]}.git"

    def head(self, ref: str | None) -> Head:
        """The commit that a branch or a tag stands for at the host now; None means the host's default branch.

        Raises:
            UsageError: the host has no branch or tag of that name.
            RepositoryError: the host does not answer, or refuses access.
        """
        asked = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"]
        if ref is not None:
            check_ref(ref)
        make_folder(self._folder)
        with self._opened() as environment:
            reach = self._reach(environment)
            answer = git(self._folder, "ls-remote", "--symref", "--", self._address.url, *asked, **reach)
        found: dict[str, str] = {}
        for line in answer.decode("utf-8", "replace").splitlines():
            value, _, name = line.partition("\t")
            if not value.startswith("ref: "):
                found[name] = value
            elif name == "HEAD":  # a clone has its own HEAD, and HEADs of other repositories
                found["symref"] = value.removeprefix("ref: ")
        if ref is None:
            return self._default(found)
        # An annotated tag is an object of its own, and stands for the commit that it names.
        for name in (asked[0], asked[2], asked[1]):
            if name in found:
                return Head(ref, found[name], is_tag=name != asked[0])
        raise UsageError(f"{self._address.url} has no branch or tag `{ref}`", f"`git ls-remote {self._address.url}` lists them")

    def tips(self, pull_request: PullRequestRefs) -> PullRequestTips:
        """The commits of a pull request at the host now.

        Raises:
            RepositoryError: the host does not answer, or refuses access.
        """
        make_folder(self._folder)
        with self._opened() as environment:
            asked = ("ls-remote", "--", self._address.url, *pull_request.globs)
            answer = git(self._folder, *asked, **self._reach(environment))
        pairs = (line.partition("\t") for line in answer.decode("utf-8", "replace").splitlines())
        return pull_request.tips({name: commit for commit, _, name in pairs})

    def parents(self, commit: str) -> Sequence[str]:
        """The parents of a commit that was fetched, also of those whose parents were not fetched.

        Raises:
            RepositoryError: git cannot read the commit.
        """
        check_commit(commit)
        head, _, _ = self._ask("cat-file", "commit", commit).partition(b"\n\n")
        return [line.split()[1].decode("ascii") for line in head.splitlines() if line.startswith(b"parent ")]

    def message(self, commit: str) -> str:
        """The message of a commit that was fetched; empty if it is very long.

        Raises:
            RepositoryError: git cannot read the commit.
        """
        check_commit(commit)
        if int(self._ask("cat-file", "-s", commit)) > LONGEST_COMMIT:
            return ""
        return read_commit(self._ask(*READ_COMMIT, commit, "--")).message

    @property
    def folder(self) -> Path:
        """The bare repository that holds what was fetched."""
        return self._mirror

    def fetch(self, commit: str) -> None:
        """Fetch a commit if it is missing here, and no more of the repository than needed, if the host supports that.

        Raises:
            UsageError: the text is not the whole id of a commit.
            CommitMissingError: the host does not have the commit.
            RepositoryError: the host does not answer, or refuses access.
        """
        check_commit(commit)
        with self._locked() as lock:
            if not self._has(commit):
                self._fetch_soundly(commit, lock)

    def peeled(self, name: str) -> str:
        """The commit of an object that was fetched, which may be the object of an annotated tag.

        Raises:
            UsageError: the text is not a whole id, or the object is neither a commit nor the tag of one.
        """
        check_commit(name)
        try:
            return self._ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode("ascii").strip()
        except GitError as error:
            raise UsageError(f"{name} in {self._address.url} is neither a commit nor the tag of a commit") from error

    @contextmanager
    def checkout(self, commit: str, extras: Extras) -> Iterator[Path]:
        """The tree of a commit, in a folder that exists as long as the body runs.

        Args:
            commit: the whole id of the commit.
            extras: what to fetch in addition: submodules, files in LFS.

        Raises:
            UsageError, RepositoryError: as in `fetch`, or the disk is full.
        """
        self.fetch(commit)
        checkouts = self._folder / "checkouts"
        make_folder(checkouts)
        folder = checkouts / f"{_file_name(self._address.name)}-{secrets.token_hex(8)}"
        with ExitStack() as stack:
            with self._locked() as lock:
                self._sweep(checkouts)
                # The lock is held as long as the checkout is used, and no longer than this process lives.
                self._hold(stack, folder, _SWEEP_PATIENCE)
                stack.callback(self._remove, folder)
                self._add(folder, commit, lock)
            with self._opened() as environment:
                extras.bring_files(folder, environment, self._access.secrets)
                if extras.submodules:
                    with self._locked():
                        extras.bring_submodules(folder, environment, self._access.secrets)
            yield folder

    def add_history(self, folder: Path, commit: str, depth: int, branch: str) -> None:
        """Make a checkout a repository of its own, with history and tags. Its objects stay in the mirror.

        Args:
            folder: a checkout of the commit, from `checkout`.
            commit: the whole id of the commit.
            depth: how many commits deep the history is; 0 for all of it.
            branch: the branch that HEAD is on; empty for none.

        Raises:
            RepositoryError: the host does not answer, or refuses access.
        """
        with self._locked() as lock:
            # Git fetches the tags of a history by itself, but does not move a tag that it already has.
            outdated = self._ask("for-each-ref", "--format=delete %(refname)", "refs/tags")
            self._ask("update-ref", "--stdin", given=outdated, lock=lock)
            with self._opened() as environment:
                self._deepen(commit, depth or ALL_COMMITS, environment, lock)
            self._make_independent(folder, commit, branch)

    def _deepen(self, commit: str, depth: int, environment: Mapping[str, str], lock: int) -> None:
        """Fetch the history of a commit that is here, and the tags of that history."""
        options = ("fetch", "--quiet", "--update-shallow", "--no-write-fetch-head", "--force")
        reach = self._reach(environment)
        try:
            self._ask(*options, f"--depth={depth}", "--", self._address.url, f"{commit}:{_LATEST}", lock=lock, **reach)
        except GitError:
            # As in `_fetch`: the host sends only branches and tags.
            everything = ("--", self._address.url, "+refs/heads/*:refs/dockercise/heads/*")
            self._ask(*options, f"--depth={ALL_COMMITS}", *everything, lock=lock, **reach)

    def _make_independent(self, folder: Path, commit: str, branch: str) -> None:
        """Replace the link of a checkout to the mirror by a repository that borrows the mirror's objects."""
        kind = "sha256" if len(commit) == _SHA256_DIGITS else "sha1"
        (folder / ".git").unlink()
        options = ("--quiet", "--template=", f"--object-format={kind}", f"--initial-branch={branch or 'main'}")
        git(folder, "init", *options)
        own = folder / ".git"
        (own / "objects/info").mkdir(exist_ok=True)
        (own / "objects/info/alternates").write_bytes(os.fsencode(self._mirror / "objects") + b"\n")
        if (self._mirror / "shallow").exists():
            shutil.copy(self._mirror / "shallow", own / "shallow")
        (own / "packed-refs").write_bytes(self._ask("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"))
        git(folder, "update-ref", *([f"refs/heads/{branch}"] if branch else ["--no-deref", "HEAD"]), commit)
        git(folder, "read-tree", "HEAD")

    def _default(self, found: dict[str, str]) -> Head:
        if "HEAD" not in found:
            raise UsageError(
                f"{self._address.url} has no commit on its default branch", "push a commit, or name a branch with `--ref`"
            )
        branch = found.get("symref", "").removeprefix("refs/heads/")
        if not branch:
            raise UsageError(f"{self._address.url} has no default branch: its HEAD is detached", "name a branch with `--ref`")
        return Head(branch, found["HEAD"])

    def _fetch_soundly(self, commit: str, lock: int) -> None:
        """Fetch a commit. If the mirror is broken, it is made again, because everything in it can be fetched again."""
        with self._opened() as environment:
            try:
                self._fetch(commit, environment, lock)
            except GitError:
                if self._is_sound("--connectivity-only"):
                    raise
                self._make(commit, lock)
                self._fetch(commit, environment, lock)

    def _fetch(self, commit: str, environment: Mapping[str, str], lock: int) -> None:
        if not self._mirror.exists():
            self._make(commit, lock)
        options = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--force")
        reach = self._reach(environment)
        try:
            self._ask(*options, "--depth=1", "--", self._address.url, f"{commit}:{_LATEST}", lock=lock, **reach)
        except GitError as error:
            # A host may send only branches and tags. A commit that is in none of them cannot be fetched.
            everything = ("+refs/heads/*:refs/dockercise/heads/*", "+refs/tags/*:refs/dockercise/tags/*", *self._more_refs())
            whole = ["--prune", *(["--unshallow"] if (self._mirror / "shallow").exists() else [])]
            self._ask(*options, *whole, "--", self._address.url, *everything, lock=lock, **reach)
            if not self._has(commit):
                hint = "was it pushed, or has a forced push removed it?"
                raise CommitMissingError(f"{self._address.url} has no commit {commit}", hint) from error

    def _more_refs(self) -> Iterator[str]:
        globs = () if self._pull_request is None else self._pull_request.globs
        return (f"+{glob}:refs/dockercise/{glob.removeprefix('refs/')}" for glob in globs)

    def _add(self, folder: Path, commit: str, lock: int) -> None:
        """Write the tree of a commit that was fetched."""
        command = ("worktree", "add", "--quiet", "--detach", "--force", str(folder), commit)
        try:
            self._ask(*command, lock=lock, environment=_NO_FILTERS)
        except GitError as error:
            if self._is_sound():
                raise RepositoryRefusedError(f"cannot check out {commit}: {error.message}", error.hint) from error
            self._make(commit, lock)
            self._fetch_soundly(commit, lock)
            self._ask(*command, lock=lock, environment=_NO_FILTERS)

    def _make(self, commit: str, lock: int) -> None:
        shutil.rmtree(self._mirror, ignore_errors=True)
        kind = "sha256" if len(commit) == _SHA256_DIGITS else "sha1"
        options = ("--quiet", "--bare", "--template=", f"--object-format={kind}")
        git(self._folder, "init", *options, "--", str(self._mirror), lock=lock)

    def _is_sound(self, *options: str) -> bool:
        try:
            self._ask("fsck", "--no-dangling", "--no-progress", *options)
        except GitError:
            return False
        return True

    def _has(self, commit: str) -> bool:
        try:
            self._ask("cat-file", "-e", f"{commit}^{{tree}}")
        except GitError:
            return False
        return True

    def _reach(self, environment: Mapping[str, str]) -> _Reach:
        return {"protocols": (*REMOTE, "file"), "environment": environment, "hidden": self._access.secrets}

    def _ask(self, *arguments: str, lock: int | None = None, given: bytes | None = None, **reach: Unpack[_Reach]) -> bytes:
        return git(self._mirror, *arguments, lock=lock, given=given, **reach)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """While the body runs, no other process changes the mirror. Yields the lock, for the git processes that change it."""
        make_folder(self._folder)
        with ExitStack() as stack:
            lock = self._hold(stack, self._mirror, _LOCK_PATIENCE)
            for left in (*self._mirror.glob("*.lock"), *self._mirror.glob("refs/**/*.lock")):
                left.unlink(missing_ok=True)  # git's own lock, from a killed git: a live one would hold the mirror's lock
            yield lock

    def _hold(self, stack: ExitStack, folder: Path, patience: float) -> int:
        try:
            return stack.enter_context(file_lock(_lock_of(folder), patience))
        except LockTimeoutError as error:
            message = f"another process has been working on {folder} for {shown_seconds(patience)}"
            raise RepositoryError(message, "is it stuck?") from error
        except OSError as error:
            hint = "is the disk full, or does the folder belong to another user?"
            raise RepositoryError(f"cannot write in {self._folder}: {error.strerror}", hint) from error

    @contextmanager
    def _opened(self) -> Iterator[Mapping[str, str]]:
        """Variables with which git opens the repository. Git's errors get a hint."""
        try:
            with self._access.environment(self._address, self._folder / FILE) as environment:
                yield environment
        except GitError as error:
            kind = RepositoryRefusedError if _REFUSED.search(error.said) else RepositoryError
            raise kind(f"cannot read {self._address.url}: {error.message}", self._hint()) from error

    def _hint(self) -> str:
        if self._address.kind == "file":
            return "is there a git repository, and can this user read it?"
        if self._access.name:
            return f"is the address right, and does the Secret block `{self._access.name}` give access?"
        return "is the address right? If it is private, name a Secret block with a token or deploy key with `--credentials`"

    def _sweep(self, checkouts: Path) -> None:
        """Remove the checkouts that dead processes have left."""
        for lock in checkouts.glob("*.lock"):
            with suppress(LockTimeoutError), file_lock(lock, 0):
                self._remove(lock.with_suffix(""))

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for known in self._folder.glob(f"*.git/worktrees/{folder.name}"):  # an abandoned checkout may belong to another mirror
            shutil.rmtree(known, ignore_errors=True)
        if not folder.exists():  # otherwise, the next sweep tries again
            _lock_of(folder).unlink(missing_ok=True)


class _Reach(TypedDict, total=False):
    protocols: Sequence[str]
    environment: Mapping[str, str]
    hidden: Sequence[str]


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:60].strip(".") or "repository"
