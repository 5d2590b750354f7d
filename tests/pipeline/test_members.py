"""The members of groups: their names, and what stages after them see."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.pipeline import DependencyKind, Pipeline, StageValues, StageVolume, each, from_json, stage, to_json
from dockercise_prefect.pipeline.members import distinct_lines, keys_of, seeing_members, with_members, without_members

LINES = stage("lines", image="busybox", run="ls")
TEST = stage("test", image="busybox", run="echo $EACH", each=each(LINES, limit=3), volumes=[LINES.volume])
END = stage("end", image="busybox", run="x", env={"TEST": TEST.value}, volumes=[TEST.volume.at("/reports")], reads=[TEST])
PIPELINE = Pipeline("p", [LINES, TEST, END])


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (b"", []),
        (b"a\nb", ["a", "b"]),
        (b" a \r\n\n\t\nb\na", ["a", "b"]),
        (b"two words\n", ["two words"]),
        (b"\xff\n", ["\udcff"]),
    ],
)
def test_lines(value: bytes, lines: list[str]) -> None:
    """Lines are stripped; blank lines are dropped, and duplicates count once."""
    assert distinct_lines(value) == lines


def test_keys_are_distinct() -> None:
    """Lines that would have the same key get numbers, also if another line has that number already."""
    assert keys_of(["a/b", "a:b", "a_b-2", "c", "a b"]) == ["a_b", "a_b-2", "a_b-2-2", "c", "a_b-3"]


def test_round_trip() -> None:
    """A pipeline with a group is the same after it was written as JSON and read back."""
    assert from_json(to_json(PIPELINE)) == PIPELINE


def test_a_member() -> None:
    """A member has the folder of its group, and edges to what the group names besides the lines."""
    member = PIPELINE.find("test(a b)")

    assert (member.name, member.folder, member.declared_name, member.is_group) == ("test(a b)", "/test", "test", False)
    assert [edge.kind for edge in member.depends_on] == [DependencyKind.VOL]


def test_what_a_stage_sees_of_members() -> None:
    """A stage after a group sees the value, the volume and the output of each member."""
    members = [TEST.member("a"), TEST.member("b")]

    seeing = seeing_members(END, {"test": members})

    assert seeing.env["TEST"] == StageValues(("test(a)", "test(b)"))
    assert [(mount.source, mount.target) for mount in seeing.mounts] == [
        (StageVolume("test(a)"), "/reports/a"),
        (StageVolume("test(b)"), "/reports/b"),
    ]
    assert {edge.stage: edge.path for edge in seeing.depends_on} == {"test(a)": "test/a", "test(b)": "test/b"}


def test_a_group_without_members_is_seen_as_it_is() -> None:
    """A stage after a group without members is unchanged: it sees a stage that left nothing."""
    assert seeing_members(END, {}) is END


def test_a_recorded_pipeline() -> None:
    """The pipeline of a record has the members behind their group, and can be told from the one that was compiled."""
    recorded = with_members(PIPELINE, ["lines", "test", "test(b)", "test(a)", "end"])

    assert [one.name for one in recorded] == ["lines", "test", "test(b)", "test(a)", "end"]
    assert without_members(recorded) == PIPELINE


def test_a_member_is_no_target() -> None:
    """Who asks for a member is told that members are known only while a run goes on."""
    with pytest.raises(DefinitionError) as caught:
        PIPELINE.only(["test(a)"])

    (finding,) = caught.value.diagnostics
    assert finding.message == "the target `test(a)` is a member of test, and members are known only while a run goes on"
    assert finding.hint == "`test` runs all of its members"


def test_an_unknown_name() -> None:
    """A name that neither a stage nor a member of a group can have is unknown."""
    with pytest.raises(KeyError):
        PIPELINE.find("lines(a)")
