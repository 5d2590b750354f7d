"""What is said about an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.orchestration.doctor.check import CheckStatus
from dockercise_prefect.orchestration.doctor.engine import (
    clock_check,
    copies_check,
    disk_check,
    engine_check,
    leftovers_check,
    sorted_leftovers,
    usage_check,
)
from dockercise_prefect.runtime.cleanup.labels import OWNER, RUN
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.runtime.copying.trials import Trial, Trials
from dockercise_prefect.runtime.disk_room import Room
from dockercise_prefect.runtime.docker.facts import EngineFacts, EngineUsage
from dockercise_prefect.runtime.engine import Engine, Leftover
from dockercise_prefect.runtime.overlay import OverlayFacts

GOOD = EngineFacts(
    url="unix:///var/run/docker.sock",
    origin="the default socket",
    version="28.5.2",
    api="1.51",
    store="overlay2",
    system="Debian GNU/Linux 13",
    machine="linux/amd64",
    folder="/var/lib/docker",
    ahead=0.01,
    doubt=0.02,
    room=Room("/var/lib/docker", 60 * 10**9, 100 * 10**9),
    rootless=False,
    has_init=True,
    unlimited=(),
    overlays=OverlayFacts("this engine"),
)


@pytest.mark.parametrize(
    ("changes", "status", "hint"),
    [
        ({}, "ok", None),
        ({"rootless": True}, "ok", None),
        ({"api": "1.40"}, "warning", "Docker 20.10 and later are tested"),
        ({"unlimited": ("memory", "pids")}, "warning", "does not keep limits of memory, pids"),
        ({"has_init": False}, "warning", "no init program"),
        ({"folder": "/var/snap/docker/common/var-lib-docker"}, "problem", "from the snap package"),
        ({"machine": "windows/amd64"}, "problem", "an engine for Linux containers"),
    ],
)
def test_an_engine(changes: dict[str, Any], status: str, hint: str | None) -> None:
    """An engine is judged by whether stages can run there as they should."""
    check = engine_check(replace(GOOD, **changes))

    assert check.status is CheckStatus(status)
    assert (hint in check.hint) if hint and check.hint else check.hint is None
    assert check.found.startswith("Docker 28.5.2, API ")
    assert check.found.endswith("unix:///var/run/docker.sock (the default socket)" + ", rootless" * ("rootless" in changes))


@pytest.mark.parametrize(
    ("ahead", "doubt", "status", "found"),
    [
        (None, 0.0, "unknown", "the engine does not tell its time"),
        (4.9, 0.0, "ok", "as here"),
        (-6.0, 1.5, "ok", "as here"),
        (5.1, 0.0, "warning", "5 s ahead of the clock here"),
        (-250.0, 0.5, "warning", "250 s behind the clock here"),
        (3600.0, 0.5, "problem", "3600 s ahead of the clock here"),
    ],
)
def test_a_clock(ahead: float | None, doubt: float, status: str, found: str) -> None:
    """Clocks may differ by some seconds, and by as much as the question took."""
    check = clock_check(replace(GOOD, ahead=ahead, doubt=doubt))

    assert (check.status, check.found) == (CheckStatus(status), found)


@pytest.mark.parametrize(
    ("free", "status"), [(5 * 10**9, "ok"), (5 * 10**9 - 1, "warning"), (499_999_999, "problem"), (0, "problem")]
)
def test_a_disk(free: int, status: str) -> None:
    """Less than 5 GB is little for images; with less than half a GB, runs fail."""
    check = disk_check(Room("/var/lib/docker", free, 100 * 10**9), "/var/lib/docker")

    assert check.status is CheckStatus(status)
    assert ("docker system prune" in (check.hint or "")) == (status != "ok")
    assert check.facts == {"folder": "/var/lib/docker", "free_bytes": free, "size_bytes": 100 * 10**9}


def test_a_disk_elsewhere() -> None:
    """The disk of an engine on another machine cannot be seen, and the hint says how to look there."""
    check = disk_check(None, "/var/lib/docker")

    assert (check.status, check.hint) == (CheckStatus.UNKNOWN, "look there: `df -h /var/lib/docker`")


@pytest.mark.parametrize(
    ("refusal", "trial", "status", "found"),
    [
        (None, None, "unknown", "the first run with `on` tries whether it can copy volumes by overlays"),
        (None, Trial(None), "ok", "by overlays"),
        (None, Trial("no such device"), "ok", "all bytes, not by overlays: no such device"),
        ("it is rootless", None, "ok", "all bytes, not by overlays: it is rootless"),
    ],
)
def test_how_it_copies(tmp_path: Path, refusal: str | None, trial: Trial | None, status: str, found: str) -> None:
    """Whether stages with `on` get overlays or copies of all bytes, and why; what only a run can find out is unknown before."""
    trials = Trials(tmp_path)
    if trial is not None:
        trials.note("this engine", trial)

    check = copies_check(OverlayFacts("this engine", refusal), trials)

    assert (check.status, check.found) == (CheckStatus(status), found)


def test_what_the_space_is_used_for() -> None:
    """Sizes are rounded for people and exact for programs."""
    check = usage_check(EngineUsage(images=1_907_779_013, containers=0, volumes=15_000_000, build_cache=772_119))

    assert check.found == "images 1.9 GB, containers 0 B, volumes 15 MB, build cache 772 kB"
    assert check.facts["images_bytes"] == 1_907_779_013


def test_leftovers_are_told_by_whom_they_belong_to() -> None:
    """Only what dead runs left is a warning."""
    one = Leftover("container", "c", {})
    two = Leftover("volume", "v", {})

    assert leftovers_check([], [], []).found == "none"
    assert leftovers_check([one], [], [two]).status is CheckStatus.OK
    assert leftovers_check([one], [two, two], [two]).status is CheckStatus.WARNING
    assert leftovers_check([one], [one, two, two], [two]).found == (
        "of running runs: 1 container; of killed runs: 1 container, 2 volumes; of runs elsewhere: 1 volume"
    )


def test_owners_decide(engine: Engine, run_id: str) -> None:
    """A volume of this process is alive, one of a process that has ended is dead, one of another machine is not judged."""
    here = this_process(engine)
    owners = {
        "alive": str(here),
        "dead": str(replace(here, pid=2**22 + 1, start="1")),
        "elsewhere": str(replace(here, host="another", machine="0123456789abcdef")),
    }
    names = {kind: f"dockercise-{run_id}-{kind}" for kind in owners}
    for kind, owner in owners.items():
        engine.create_volume(names[kind], {RUN: run_id, OWNER: owner})

    try:
        sorted_ = sorted_leftovers(engine)
    finally:
        for name in names.values():
            engine.remove_volume(name)

    mine = [[one.id for one in some if one.labels[RUN] == run_id] for some in sorted_]
    assert mine == [[names["alive"]], [names["dead"]], [names["elsewhere"]]]
