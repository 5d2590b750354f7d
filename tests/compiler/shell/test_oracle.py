"""Another reader of shell scripts agrees with ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.compiler.shell.script import read
from dockercise_prefect.compiler.shell.syntax import Expansion

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

SCRIPTS: dict[str, str] = {
    row["id"]: row["script"]
    for name in ("scripts", "more_scripts")
    for row in json.loads(Path(__file__).with_name(f"{name}.json").read_text())
} | {
    "for without in": "for i do echo $i; done",
    "pipe behind a here-document": "cat <<'EOF' 2>&1 | x\n$A\nEOF",
    "two here-documents": "cat <<A; cat <<'B'\n$X\nA\n$Y\nB\necho $Z",
    "end that is empty": "cat <<''\n$A\n\necho $B",
    "bar in a default": "echo ${X:-a|b} $A",
    "escaped sign in a test": "[ a \\> b ] && echo $A",
    "here-string behind a file": "cat > f <<< x; echo $A",
    "file behind arithmetic": "n=$((A+1)) 2>/dev/null && echo $n",
    "comment behind a case": "case $A in x) ;; esac # don't\necho $B",
}
"""Scripts that both readers accept."""

DIFFERENT = {
    "q27": "single quotes hide nothing in a default that stands in double quotes: so do we, bash and dash",
    "m250": "a quote in the middle of a here-document's end hides the text: so do we, bash, dash and busybox",
}
"""Scripts whose variables the two readers see differently, with the one that is right."""


def _ours(node: object) -> Iterator[str]:
    """The variables that our reader finds expanded."""
    if isinstance(node, Expansion) and _NAME.fullmatch(node.name):
        yield node.name
    if isinstance(node, list):
        for each in node:
            yield from _ours(each)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _ours(getattr(node, each.name))


def _theirs(node: Any) -> Iterator[str]:
    """The variables that shfmt finds expanded, from its tree as JSON."""
    if isinstance(node, dict):
        if node.get("Type") == "ParamExp" and _NAME.fullmatch(node.get("Param", {}).get("Value", "")):
            yield node["Param"]["Value"]
        for each in node.values():
            yield from _theirs(each)
    elif isinstance(node, list):
        for each in node:
            yield from _theirs(each)


def _shfmt(script: str) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("shfmt", path=str(Path(sys.executable).parent))
    assert program is not None
    return subprocess.run([program, "--to-json"], input=script.encode(), capture_output=True, check=False)


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_readers_see_the_same_variables(name: str) -> None:
    """Our reader accepts every script that shfmt accepts, and both find the same variables expanded in it."""
    theirs = _shfmt(SCRIPTS[name])

    ours = read(SCRIPTS[name])

    assert (theirs.returncode, ours.understood) == (0, True)
    assert (set(_ours(ours.statements)) != set(_theirs(json.loads(theirs.stdout)))) == (name in DIFFERENT)


@pytest.mark.parametrize(
    "script", ["if true; then", "echo 'a", 'echo "a', "a ) b", "$(a", "{ a", "case a in", "echo ${A", "fi", "for in"]
)
def test_both_readers_refuse_the_same(script: str) -> None:
    """A text that shfmt refuses does not fit our grammar either."""
    assert _shfmt(script).returncode != 0
    assert not read(script).understood
