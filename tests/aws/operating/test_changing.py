"""Changes of stacks: made, changed, restored and deleted, with the events of their resources."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dockercise_prefect.aws.operating.changing import Change, ResourceEvent, StackChanges, StackError, shown_changes
from dockercise_prefect.aws.operating.deployed import Deployed, find_stack
from tests.support.aws.ministack import MiniStack, running_ministack

pytestmark = pytest.mark.docker  # for the server

TEMPLATE = """
Parameters:
  Delay: {Type: Number, Default: 0}
  Taken: {Type: String, Default: ""}
Conditions:
  HasTaken: !Not [!Equals [!Ref Taken, ""]]
Resources:
  Pushes: {Type: "AWS::SQS::Queue", Properties: {DelaySeconds: !Ref Delay}}
  Bucket: {Type: "AWS::S3::Bucket", DeletionPolicy: Retain}
  Note:
    Type: AWS::SSM::Parameter
    Condition: HasTaken
    DependsOn: [Pushes, Bucket]
    Properties: {Name: !Ref Taken, Type: String, Value: x}
Outputs:
  Bucket: {Value: !Ref Bucket}
"""


@dataclass
class Stack:
    """One stack, and the events that were reported."""

    client: Any
    ssm: Any
    name: str
    events: list[ResourceEvent] = field(default_factory=list)

    @property
    def changes(self) -> StackChanges:
        """Changes it."""
        return StackChanges(self.client, self.name, self.events.append, pause=lambda: None)

    def find(self) -> Deployed | None:
        """The stack as it is."""
        return find_stack(self.client, self.name)

    def change(self, **parameters: str) -> Deployed | None:
        """Make or change it with these parameters; None if nothing changes."""
        existing = self.find()
        proposed = self.changes.propose(TEMPLATE, parameters, {"dockercise": self.name}, existing)
        return None if proposed is None else self.changes.apply(proposed, existing)

    def take(self) -> str:
        """A name of a parameter that exists already, so that a stack cannot make it."""
        name = f"/taken/{self.name}"
        self.ssm.put_parameter(Name=name, Value="taken", Type="String")
        return name

    def said(self) -> list[tuple[str, str]]:
        """The names of resources and their states, in the order of the reports."""
        return [(event.resource, event.status) for event in self.events]


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """A MiniStack for the tests of this file."""
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as running:
        yield running


@pytest.fixture
def stack(ministack: MiniStack) -> Stack:
    """A name that no other test uses."""
    return Stack(ministack.client("cloudformation"), ministack.client("ssm"), f"dockercise-{uuid.uuid4().hex[:8]}")


def test_make(stack: Stack) -> None:
    """A stack is made, its events are reported in order, and its outputs are known."""
    made = stack.change()

    assert made is not None
    assert made.status == "CREATE_COMPLETE"
    assert made.output("Bucket")
    assert stack.said().index(("Bucket", "CREATE_IN_PROGRESS")) < stack.said().index(("Bucket", "CREATE_COMPLETE"))
    assert stack.said()[-1] == (stack.name, "CREATE_COMPLETE")


def test_nothing_changes(stack: Stack) -> None:
    """The same template with the same values changes nothing, and leaves no change set."""
    stack.change(Delay="3")

    assert stack.change(Delay="3") is None
    open_sets = stack.client.list_change_sets(StackName=stack.name)["Summaries"]
    assert [one for one in open_sets if one["Status"] == "FAILED"] == []


def test_only_new_events_are_reported(stack: Stack) -> None:
    """A second change reports its own events only."""
    stack.change()
    stack.events.clear()

    changed = stack.change(Delay="5")

    assert changed is not None
    assert changed.parameters["Delay"] == "5"
    assert "CREATE_COMPLETE" not in {status for _, status in stack.said()}
    assert stack.said()[-1] == (stack.name, "UPDATE_COMPLETE")


def test_a_failed_make_leaves_nothing(stack: Stack) -> None:
    """If a resource fails, its reason is said, and nothing stays; not even what the template keeps on a delete."""
    taken = stack.take()

    with pytest.raises(StackError, match="was not made, and nothing of it is left") as caught:
        stack.change(Taken=taken)

    assert "Note (AWS::SSM::Parameter)" in caught.value.message
    assert stack.find() is None
    assert any(event.is_failure for event in stack.events)


def test_a_failed_change_restores(stack: Stack) -> None:
    """If a resource fails, its reason is said, and the stack is as it was."""
    stack.change(Delay="3")
    taken = stack.take()

    with pytest.raises(StackError, match="was not changed, and is as it was before") as caught:
        stack.change(Delay="9", Taken=taken)

    after = stack.find()
    assert "Note (AWS::SSM::Parameter)" in caught.value.message
    assert after is not None
    assert (after.status, after.parameters["Delay"]) == ("UPDATE_ROLLBACK_COMPLETE", "3")
    assert stack.change(Delay="4") is not None


def test_a_wrong_template(stack: Stack) -> None:
    """A template that CloudFormation does not accept is refused with its reason, and no empty stack stays."""
    with pytest.raises(Exception, match=r"AWS::Nonsense::Thing") as caught:
        stack.changes.propose("Resources: {A: {Type: 'AWS::Nonsense::Thing'}}", {}, {}, None)

    assert f"cannot prepare the stack {stack.name}" in str(caught.value)
    assert stack.find() is None


def test_delete_keeps_what_is_kept(stack: Stack) -> None:
    """A delete removes all but what the template keeps."""
    made = stack.change()
    assert made is not None

    stack.changes.delete(made.id)

    assert stack.find() is None
    assert ("Bucket", "DELETE_SKIPPED") in stack.said()
    assert ("Pushes", "DELETE_COMPLETE") in stack.said()


def test_withdraw(stack: Stack) -> None:
    """What was proposed and not wanted leaves nothing: no empty stack, and no change set."""
    first = stack.changes.propose(TEMPLATE, {}, {}, None)
    assert first is not None
    stack.changes.withdraw(first, None)
    none = stack.find()
    existing = stack.change()
    second = stack.changes.propose(TEMPLATE, {"Delay": "7"}, {}, existing)
    assert second is not None

    stack.changes.withdraw(second, existing)

    assert none is None
    assert "Pushes" in [change.resource for change in second.changes]
    assert second.id not in [one["ChangeSetId"] for one in stack.client.list_change_sets(StackName=stack.name)["Summaries"]]


def test_two_terminals_delete(stack: Stack) -> None:
    """Whoever deletes a stack that somebody else has deleted meanwhile is done at once."""
    made = stack.change()
    assert made is not None
    stack.changes.delete(made.id)
    stack.events.clear()

    stack.changes.delete(made.id)

    assert stack.events == []


def test_two_terminals_make(stack: Stack) -> None:
    """A stack that looked like the remains of a failed create, and that its maker has made meanwhile, is not deleted."""
    proposed = stack.changes.propose(TEMPLATE, {}, {}, None)
    remains = stack.find()
    assert proposed is not None
    assert remains is not None
    stack.changes.apply(proposed, None)

    with pytest.raises(StackError, match="somebody else is making the stack"):
        stack.changes.delete_remains(remains.id)
    stack.changes.withdraw(proposed, None)

    after = stack.find()
    assert remains.was_never_made
    assert after is not None
    assert after.status == "CREATE_COMPLETE"


def test_changes_in_words() -> None:
    """Each change has a line, and says if a new resource takes the place of the old one."""
    changes = (
        Change("Add", "Alarms", "AWS::SNS::Topic", replaces=False),
        Change("Modify", "Host", "AWS::EC2::Instance", replaces=True),
        Change("Modify", "Door", "AWS::Lambda::Function", replaces=False),
        Change("Remove", "Budget", "AWS::Budgets::Budget", replaces=False),
    )

    assert list(shown_changes(changes)) == [
        "would add Alarms (AWS::SNS::Topic)",
        "would replace Host (AWS::EC2::Instance)",
        "would change Door (AWS::Lambda::Function)",
        "would remove Budget (AWS::Budgets::Budget)",
    ]
