"""`dockercise host install`: makes the machine as the stack says. It can be repeated, and changes only what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dockercise_prefect.aws.names import JOB_USER
from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.errors import DockerciseError, MachineError
from dockercise_prefect.host.files import (
    engine_file,
    started_units,
    superfluous_units,
    units,
    wanted_files,
    write_changed,
)
from dockercise_prefect.host.machine import USER, Layout, attempt, run, writing
from dockercise_prefect.host.releases import Releases
from dockercise_prefect.host.volume import ensure_mounted
from dockercise_prefect.orchestration.prefect.identity import make_secret

UID = 9200
"""The number of the user. It is fixed, because the files on the kept volume outlive the machine's table of users."""

_DEBIANS_SSH = ("ssh.service", "ssh.socket")
"""Debian's image serves ssh on all addresses. Nobody may log in, but stages could reach it."""

PROBLEM = Path("host", "problem")
"""Why the last update failed, below the data folder. `dockercise host run` reports it."""

Say = Callable[[str], None]


def install(config: HostConfig, prefect: Mapping[str, str], layout: Layout, say: Say, *, ec2: Any, s3: Any) -> None:
    """Set the machine up: the volume, the version of dockercise that the stack names, the user, and the units.

    If an update fails, the version that is there goes on, and the report says why.

    Args:
        config: what the stack says.
        prefect: the variables with the login of the user's own Prefect.
        layout: where everything is.
        say: called with a line for each step.
        ec2: boto3's client for EC2.
        s3: boto3's client for S3.

    Raises:
        MachineError: a step failed. What was done before it stays, and the next call goes on there.
        StorageError: AWS refuses, or does not answer.
    """
    ensure_mounted(config.volume, ec2, layout, say)
    _make_user(say)
    if config.jobs:
        _make_job_user(say)
    _make_folders(layout)
    releases = Releases(layout, s3, config.bucket, say)
    if releases.current() is not None and not releases.is_current(config.package):
        if _updated(releases, config, layout, say):
            return
    else:
        releases.note(config.package)
        _remember(layout, None)
    set_up(config, prefect, layout, say)


def set_up(config: HostConfig, prefect: Mapping[str, str], layout: Layout, say: Say) -> None:
    """Write the files of this version, and start its units. Units that have changed are started again.

    Raises:
        MachineError: a file cannot be written, or systemd refuses.
    """
    if not all((layout.units / unit).is_symlink() for unit in _DEBIANS_SSH):
        run("systemctl", "mask", "--now", "--quiet", *_DEBIANS_SSH)
    engine = write_changed([engine_file(layout)])
    changed = write_changed(wanted_files(config, prefect, layout))
    gone = [unit for unit in superfluous_units(config) if (layout.units / unit).exists()]
    for unit in gone:
        run("systemctl", "disable", "--now", unit)
        with writing(layout.units / unit):
            (layout.units / unit).unlink()
    if not config.jobs:
        with writing(layout.logins):
            layout.logins.unlink(missing_ok=True)
    if changed or gone:
        say(f"{len(changed)} files are written")
        run("systemctl", "daemon-reload")
        run("systemctl", "enable", "--quiet", *[unit for unit in units(config) if _is_enabled(unit, layout)])
    # systemd waits for nothing here: at boot, the units start after the one that runs this.
    if engine or layout.units / "docker.service.d" / "dockercise.conf" in changed:
        run("systemctl", "restart", "--no-block", "docker.service")
    if affected := _affected(changed, config, layout):
        run("systemctl", "restart", "--no-block", *affected)
    run("systemctl", "start", "--no-block", *started_units(config))


def _affected(changed: frozenset[Path], config: HostConfig, layout: Layout) -> list[str]:
    """The units that must be started again: those with a changed file, all if variables have changed."""
    started = started_units(config)
    if any(path.parent == layout.config for path in changed):
        return list(started)
    names = {path.parent.name.removesuffix(".d") if path.parent != layout.units else path.name for path in changed}
    return [unit for unit in started if unit in names]


def _is_enabled(unit: str, layout: Layout) -> bool:
    return "\n[Install]\n" in (layout.units / unit).read_text(encoding="utf-8")


def _updated(releases: Releases, config: HostConfig, layout: Layout, say: Say) -> bool:
    """Install another version, and let it set the machine up. Returns whether it did."""
    before = releases.current()
    try:
        folder = releases.install(config.package)
        releases.use(folder)
        command = [str(folder / "bin/dockercise"), "host", "set-up", "--stack", config.stack, "--region", config.region]
        run(*command, "--root", str(layout.root))
    except DockerciseError as error:
        if before is not None:
            releases.use(before)
        _remember(layout, f"the update to {config.package} failed: {error.message}")
        say(f"the update failed, and the version from before goes on: {error.message}")
        return False
    releases.remove_others(*(one for one in (folder, before) if one is not None))
    _remember(layout, None)
    run("systemctl", "restart", "--no-block", *started_units(config))
    say(f"{config.package} is in use")
    return True


def _remember(layout: Layout, problem: str | None) -> None:
    path = layout.data / PROBLEM
    with writing(path):
        if problem is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(problem, encoding="utf-8")
    run("chown", "-R", f"{USER}:{USER}", str(path.parent))


def _make_user(say: Say) -> None:
    if attempt("getent", "passwd", USER).returncode == 0:
        return
    say(f"the user {USER} is made")
    run(
        "useradd",
        "--system",
        *("--uid", str(UID), "--user-group"),
        *("--home-dir", "/var/lib/dockercise/data", "--no-create-home"),
        *("--shell", "/usr/sbin/nologin"),
        USER,
    )


def _make_job_user(say: Say) -> None:
    """Make the user that jobs log in as. It may use the engine.

    An asterisk is a password that nobody has. useradd's own, an exclamation mark, locks the user, and sshd takes no key then.
    """
    if attempt("getent", "passwd", JOB_USER).returncode == 0:
        return
    say(f"the user {JOB_USER} is made")
    run(
        "useradd",
        *("--system", "--user-group", "--groups", "docker"),
        *("--home-dir", "/nonexistent", "--no-create-home"),
        *("--shell", "/usr/sbin/nologin", "--password", "*"),
        JOB_USER,
    )


def _make_folders(layout: Layout) -> None:
    with writing(layout.data):
        layout.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = layout.data / "prefect.secret"
        make_secret(secret)
    run("chown", f"{USER}:{USER}", str(layout.data), str(secret))


def installed_problem(data: Path) -> str | None:
    """Why the last update failed; None if it did not.

    Raises:
        MachineError: the file cannot be read.
    """
    try:
        return (data / PROBLEM).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(f"cannot read {data / PROBLEM}: {error.strerror}") from error
