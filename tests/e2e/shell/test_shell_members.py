"""`dockercise shell` in members of a stage with `each`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.shells import piped

pytestmark = pytest.mark.docker

MEMBERS = """\
list: {{img: busybox, run: "printf 'a/b\\\\nc d\\\\n'", noLog: {hidden}}}
test:
  img: busybox
  each: list
  env: TOKEN
  run: |
    echo "$EACH $TOKEN" >"$OUT/line"
    test "$EACH" != "c d"
"""


def write(root: Path, hidden: str) -> Path:
    """Write the pipeline into a folder."""
    root.mkdir()
    (root / "p.dockercise.yaml").write_text(MEMBERS.format(hidden=hidden))
    return root


def test_a_member_has_its_line(dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path) -> None:
    """The shell of a member that failed has the line that the member had, and its variables; the group itself has no shell."""
    root = write(tmp_path / "shop", hidden="false")
    dockercise_run("-C", root, TOKEN="t")

    member = piped(
        environment | {"TOKEN": "u"}, root, 'echo "[$EACH] $TOKEN $OUT"; sh -e "$DOCKERCISE_SCRIPT"', "last", "test(c_d)"
    )
    group = piped(environment, root, "", "last", "test")

    assert (member.stdout, member.returncode) == ("[c d] u /test\n", 1), member.stderr
    assert group.returncode == ExitStatus.WRONG_INPUT
    assert "has a member for each line" in group.stderr


def test_a_line_that_is_not_stored(dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path) -> None:
    """If the lines are sensitive, the user has to give the line of the member."""
    root = write(tmp_path / "shop", hidden="true")
    dockercise_run("-C", root, TOKEN="t")

    refused = piped(environment | {"TOKEN": "u"}, root, "", "last", "test(2)")
    given = piped(environment | {"TOKEN": "u"}, root, 'echo "$EACH"', "last", "test(2)", "--env", "EACH=x y")

    assert refused.returncode == ExitStatus.WRONG_INPUT
    assert "EACH: a line of list, which is not in the record: list has `noLog: true`" in refused.stderr
    assert (given.stdout, given.returncode) == ("x y\n", 0), given.stderr
