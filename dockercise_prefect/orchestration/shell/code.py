"""The code of a recorded run, on the machine of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.ask import ask_git, current_commit, find_revision
from dockercise_prefect.pipeline import HostPath, Mount, Stage

_DIRTY = "-dirty"


@contextmanager
def code_of(root: Path, commit: str | None, branch: str, notify: Callable[[str], None]) -> Iterator[Path]:
    """A folder with the code of a commit, while the body runs: the root, or a copy of the commit if the root is at another one.

    If the commit is not known, or not in the root's repository, it is the root, as it is now.

    Args:
        root: the folder of the pipeline on this machine.
        commit: the short id of the commit of the run, with `-dirty` if its files differed from it; None if it is not known.
        branch: of the run, which a copy is on, too; empty if it was on none.
        notify: called with a line that says which code it is.
    """
    root = root.resolve()
    now = f"code: the folder {root} as it is now"
    if commit is None:
        notify(f"{now}; the record does not say which commit it was")
        yield root
    elif commit.endswith(_DIRTY):
        notify(f"{now}; the run had changes on top of commit {commit.removesuffix(_DIRTY)}, which are in no commit")
        yield root
    elif current_commit(root) == commit:
        notify(f"code: the folder {root}, which is at commit {commit} of the run")
        yield root
    else:
        try:
            full = find_revision(root, commit).commit
        except UsageError:
            notify(f"{now}; it is in no repository that has commit {commit} of the run")
            yield root
            return
        notify(f"code: commit {commit} of the run, from the repository of {root}")
        with TemporaryDirectory(prefix="dockercise-code-") as folder:
            yield _copy(root, full, branch, Path(folder) / "code")


def with_own_folders(stage: Stage, root: Path) -> Stage:
    """The stage, with the folders below the root that it mounts as folders of this machine.

    They are always the user's own: a copy of a commit does not have folders that are in no commit.
    """
    return replace(stage, mounts=tuple(_own(mount, root) for mount in stage.mounts))


def _own(mount: Mount, root: Path) -> Mount:
    if not isinstance(mount.source, HostPath) or not mount.source.path.startswith("."):
        return mount
    return replace(mount, source=HostPath(str((root / mount.source.path).resolve())))


def _copy(root: Path, commit: str, branch: str, folder: Path) -> Path:
    """Check a commit out into a new folder. The copy shares the objects of the repository, which is not changed."""
    top, inside = (
        ask_git(root, "rev-parse", option).decode("utf-8", "surrogateescape").rstrip("\n")
        for option in ("--show-toplevel", "--show-prefix")
    )
    no_hooks = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
    ask_git(root, *no_hooks, "clone", "--quiet", "--shared", "--no-checkout", "--", top, str(folder))
    ask_git(folder, *no_hooks, "checkout", "--quiet", *(("-B", branch) if branch else ("--detach",)), commit)
    return folder / inside
