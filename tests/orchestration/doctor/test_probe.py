"""How probes run next to each other: none of them keeps the others from being shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus, Examination, SettingRead, worst
from dockercise_prefect.orchestration.doctor.probe import Probe, run_probes, without_logins

OK = Check("a", CheckStatus.OK, "fine")


def test_checks_come_in_the_order_of_the_probes() -> None:
    """The first probe is shown first, also if it is the slowest; a probe may give several checks."""
    second = threading.Event()

    def slow() -> Iterator[Check]:
        assert second.wait(60)
        yield OK

    def fast() -> Iterator[Check]:
        yield Check("b", CheckStatus.OK, "1")
        yield Check("c", CheckStatus.OK, "2")
        second.set()

    found = run_probes([Probe("slow", slow, 60), Probe("fast", fast, 60)])

    assert [check.name for check in found] == ["a", "b", "c"]


def test_what_never_answers_is_told_and_waited_for_no_longer() -> None:
    """A probe that hangs gives a check of its name, with its status and hint, and the others are shown."""
    never = threading.Event()

    def hangs() -> Iterator[Check]:
        never.wait()
        yield OK

    found = run_probes([Probe("engine", hangs, 0.1, CheckStatus.PROBLEM, "look at it"), Probe("a", lambda: [OK], 60)])

    never.set()
    assert found == [Check("engine", CheckStatus.PROBLEM, "no answer within 0.1 s", "look at it"), OK]


@pytest.mark.parametrize(
    ("error", "found", "hint"),
    [
        (EngineError("no engine", "start one"), "no engine", "start one"),
        (RuntimeError("odd"), "looking at it failed: RuntimeError: odd", None),
    ],
)
def test_a_probe_that_fails_is_a_check(error: Exception, found: str, hint: str | None) -> None:
    """An error, of ours or of anybody, is what was found, and no traceback."""

    def fails() -> list[Check]:
        raise error

    assert run_probes([Probe("x", fails, 60)]) == [Check("x", CheckStatus.UNKNOWN, found, hint)]


def test_logins_in_addresses_are_not_shown() -> None:
    """What a library writes into its errors may have the user's address with a password."""
    told = Check("x", CheckStatus.OK, "cannot reach http://ada:hunter2@host:4200/api and tcp://bob@host")

    (found,) = run_probes([Probe("x", lambda: [told], 60)])

    assert found.found == "cannot reach http://***@host:4200/api and tcp://***@host"
    assert without_logins("http://host/a@b") == "http://host/a@b"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "ok"),
        (["ok", "unknown"], "unknown"),
        (["warning", "unknown", "ok"], "warning"),
        (["ok", "problem", "warning"], "problem"),
    ],
)
def test_the_worst_check_decides(statuses: list[str], expected: str) -> None:
    """What cannot be found out is less than a warning, and a problem is more than everything."""
    assert worst(map(CheckStatus, statuses)) is CheckStatus(expected)


def test_an_examination_as_json() -> None:
    """The object that programs get."""
    check = Check("disk", CheckStatus.WARNING, "1 GB free", "delete something", {"free_bytes": 10**9})
    examination = Examination([check], {"jobs": SettingRead(4, "DOCKERCISE_JOBS")}, {"DOCKER_HOST": "tcp://h"})

    assert examination.to_json() == {
        "status": "warning",
        "checks": [
            {
                "name": "disk",
                "status": "warning",
                "found": "1 GB free",
                "hint": "delete something",
                "facts": {"free_bytes": 10**9},
            }
        ],
        "settings": {"jobs": {"value": 4, "origin": "DOCKERCISE_JOBS"}},
        "environment": {"DOCKER_HOST": "tcp://h"},
    }
