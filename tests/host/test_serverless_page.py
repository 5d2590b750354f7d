"""The page on AWS: every unit, command and message that it names exists."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/serverless.md").read_text()
HOST = PAGE.partition("## The host\n")[2].partition("\n## ")[0]
CODE = "".join(path.read_text() for path in sorted((ROOT / "dockercise_prefect/host").glob("*.py")))


def test_every_unit_is_there() -> None:
    """The table has the units of the host, each with a file; a socket or a timer stands for its service."""
    shown = set(re.findall(r"^\| `(dockercise-\w+\.\w+)` \|", HOST, re.MULTILINE))
    there = {
        entry.name for entry in (files("dockercise_prefect.host") / "units").iterdir() if entry.name.startswith("dockercise-")
    }

    assert shown <= there
    assert {name.partition(".")[0] for name in there} == {name.partition(".")[0] for name in shown}


def test_every_message_is_there() -> None:
    """Each part of a message in the table of what you see is in the code of the host."""
    shown = re.findall(r"^\| `([^`]+)` \|", HOST.partition("| you see |")[2], re.MULTILINE)
    parts = [part.strip() for message in shown for part in message.split("…") if part.strip()]

    assert len(shown) == 5
    assert [part for part in parts if part not in CODE] == []
