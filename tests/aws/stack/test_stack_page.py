"""The page about the stack says what the template says, and its sums are right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from dockercise_prefect.aws.stack import door
from tests.aws.stack.permissions import permissions_of
from tests.aws.stack.test_template import template

PAGE = (Path(__file__).parents[3] / "docs/stack.md").read_text(encoding="utf-8")
HOURS_AND_DAYS = (2, 20)


def table(heading: str) -> Sequence[Sequence[str]]:
    """The cells of the first table after a text."""
    rows = []
    for line in PAGE.partition(heading)[2].splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def test_every_parameter_is_told() -> None:
    """The table has all parameters of the template with their defaults."""
    told: dict[str, str] = {}
    for names, defaults, _ in table("## Parameters"):
        found = re.findall(r"`(\w+)`", names)
        values = [one.strip() for one in defaults.split(",")]
        told |= dict(zip(found, values if len(values) == len(found) else [""] * len(found), strict=True))

    assert told == {name: str(parameter.get("Default", "")) for name, parameter in template()["Parameters"].items()}


@pytest.mark.parametrize(("heading", "role"), [("**The door's role.**", "DoorRole"), ("**The host's role.**", "HostRole")])
def test_every_permission_is_told(heading: str, role: str) -> None:
    """The table has all actions of the role, and no others."""
    cells = [cell for cell, *_ in table(heading)]
    told = {action for cell in cells for action in re.findall(r"`([\w:*]+)`", cell)}
    allowed = {re.sub(r":\w+Channel$", ":*Channel", one.action) for one in permissions_of(role)}

    assert told == allowed


def test_every_answer_is_told() -> None:
    """The table has all statuses that the door answers with."""
    source = Path(door.__file__).read_text(encoding="utf-8")

    assert {status for status, _ in table("## What the door answers")} == set(re.findall(r"Answer\((\d{3}),", source))


def test_sums_are_right() -> None:
    """The last line of the table of costs is the sum of the others, and so is the example."""
    *parts, total = [[float(cell.strip("*") or 0) for cell in row[2:]] for row in table("## Costs")]
    asleep, awake = total
    hours, days = HOURS_AND_DAYS
    example = re.search(r"([\d.]+) \+ (\d+) × ([\d.]+) = ([\d.]+) in a month", PAGE)

    assert [round(sum(column), 4) for column in zip(*parts, strict=True)] == [asleep, awake]
    assert example is not None
    assert [float(one) for one in example.groups()] == [asleep, hours * days, awake, round(asleep + hours * days * awake, 2)]
