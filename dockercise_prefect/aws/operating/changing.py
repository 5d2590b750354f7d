"""Makes, changes and deletes a stack, by change sets, and reports each resource while that goes on."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.operating.deployed import Deployed, find_stack
from dockercise_prefect.errors import ExitStatus, StorageError

POLL_SECONDS = 2.0
"""Seconds between two looks at a stack that changes."""

STACK = "AWS::CloudFormation::Stack"
"""The kind of the events of a stack itself."""
_NOTHING_CHANGES = "FAILED"
_DELETED = "DELETE_COMPLETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEvent:
    """What happened to a resource of a stack.

    Attributes:
        resource: its name in the template; the name of the stack for the stack itself.
        kind: such as `AWS::SQS::Queue`.
        status: CloudFormation's word, such as `CREATE_IN_PROGRESS`.
        reason: what CloudFormation says about it; empty for nothing.
    """

    at: datetime
    resource: str
    kind: str
    status: str
    reason: str

    @property
    def is_failure(self) -> bool:
        """Whether this is a reason why a change failed. What was cancelled because of another failure is none."""
        return self.status.endswith("_FAILED") and self.kind != STACK and "cancelled" not in self.reason.lower()

    @property
    def is_end_of_stack(self) -> bool:
        """Whether the change of the whole stack has ended."""
        return self.kind == STACK and not self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set does to one resource.

    Attributes:
        action: `Add`, `Modify` or `Remove`.
        replaces: whether a new resource takes the place of the old one.
    """

    action: str
    resource: str
    kind: str
    replaces: bool


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change of a stack that was checked and can be carried out."""

    id: str
    stack: str
    changes: tuple[Change, ...]


class StackError(StorageError):
    """CloudFormation could not carry out a change."""

    exit_status = ExitStatus.ENGINE_FAILED


Report = Callable[[ResourceEvent], None]


class StackChanges:
    """Changes one stack. Methods raise `StorageError` if AWS does not answer, and `RefusedError` if it refuses.

    Args:
        client: boto3's client for CloudFormation.
        name: the name of the stack.
        report: called with each event of a resource while the stack changes.
        service_role: the ARN of the role that CloudFormation works with; None for the credentials of the client. CloudFormation
            keeps the role for later changes, but not everybody who calls it may pass that role on, so each call names it.
        pause: called between two looks at a stack.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        report: Report,
        *,
        service_role: str | None = None,
        pause: Callable[[], None] = lambda: time.sleep(POLL_SECONDS),
    ) -> None:
        self._client = client
        self._name = name
        self._report = report
        self._role = {} if service_role is None else {"RoleARN": service_role}
        self._pause = pause

    def propose(
        self, template: str, parameters: Mapping[str, str | None], tags: Mapping[str, str], existing: Deployed | None
    ) -> ChangeSet | None:
        """Let CloudFormation work out what a template would change; None if nothing would change.

        For a stack that does not exist, this makes an empty one, which `withdraw` removes.

        Args:
            template: the text of the template.
            parameters: the values of its parameters; None to keep the value that the stack has.
            tags: the tags of the stack and of all its resources.
            existing: the stack as it is now.

        Raises:
            StackError: the template or a value is wrong.
        """
        made = f"dockercise-{uuid.uuid4().hex[:12]}"
        with calling(f"cannot prepare the stack {self._name}", "cloudformation:CreateChangeSet"):
            try:
                answer = self._client.create_change_set(
                    StackName=self._name,
                    ChangeSetName=made,
                    ChangeSetType="CREATE" if existing is None else "UPDATE",
                    TemplateBody=template,
                    Parameters=[_parameter(name, value) for name, value in parameters.items()],
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
                    Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                    **self._role,
                )
            except ClientError as error:
                if _says_nothing_changes(error):
                    return None
                raise
        return self._checked(str(answer["Id"]), str(answer["StackId"]), existing)

    def withdraw(self, change_set: ChangeSet, existing: Deployed | None) -> None:
        """Forget a change set; if the stack did not exist before, remove the empty stack."""
        now = find_stack(self._client, change_set.stack) if existing is None else None
        if now is not None and now.was_never_made:  # otherwise somebody else is making it, with a change set of theirs
            self.delete(change_set.stack)
            return
        with calling(f"cannot remove the change set {change_set.id}", "cloudformation:DeleteChangeSet"):
            self._client.delete_change_set(ChangeSetName=change_set.id, StackName=change_set.stack)

    def apply(self, change_set: ChangeSet, existing: Deployed | None) -> Deployed:
        """Carry out a change set, wait until it is done, and return the stack.

        Raises:
            StackError: a resource failed. A stack that did not exist before was deleted; another one is as it was before.
        """
        before = self._newest_event(change_set.stack)
        with calling(f"cannot change the stack {self._name}", "cloudformation:ExecuteChangeSet"):
            # What a failed create has made goes away again, even if the template keeps it when the stack is deleted.
            keeps = {} if existing else {"RetainExceptOnCreate": True}
            self._client.execute_change_set(ChangeSetName=change_set.id, StackName=change_set.stack, **keeps)
        failures = self._followed(change_set.stack, before)
        after = find_stack(self._client, change_set.stack)
        if after is not None and after.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return after
        reasons = _reasons(failures) or [after.reason if after and after.reason else "CloudFormation gives no reason"]
        status = after.status if after else "gone"
        if existing is None:
            raise self._not_made(change_set.stack, reasons)
        if status == "UPDATE_ROLLBACK_COMPLETE":
            raise StackError(_listed(f"the stack {self._name} was not changed, and is as it was before:", reasons))
        hint = f"`aws cloudformation continue-update-rollback --stack-name {self._name}` tries again to restore it"
        raise StackError(_listed(f"the stack {self._name} was not changed, and is {status}:", reasons), hint)

    def delete(self, stack: str) -> None:
        """Delete a stack by its ARN, and wait until it is gone. What its template keeps stays.

        Raises:
            StackError: a resource cannot be deleted.
        """
        found = find_stack(self._client, stack)
        if found is None or found.status == _DELETED:
            return  # somebody else has done it. Another call would make no event that could be waited for
        before = self._newest_event(stack)
        with calling(f"cannot delete the stack {self._name}", "cloudformation:DeleteStack"):
            self._client.delete_stack(StackName=stack, **self._role)
        failures = self._followed(stack, before)
        after = find_stack(self._client, stack)
        if after is not None and after.status != _DELETED:
            hint = f"remove what is in the way, then try again: `dockercise aws down --name {self._name}`"
            raise StackError(_listed(f"the stack {self._name} is not deleted: {after.status}:", _reasons(failures)), hint)

    def delete_remains(self, stack: str) -> None:
        """Delete what a failed create has left, by the ARN of the stack.

        Raises:
            StackError: the stack is not a failed one any more, because somebody else is making it; or it cannot be deleted.
        """
        found = find_stack(self._client, stack)
        if found is not None and not found.was_never_made and found.status != _DELETED:
            hint = "run the command again: it waits for the other one"
            raise StackError(f"somebody else is making the stack {self._name}: it is {found.status}", hint)
        self.delete(stack)

    def wait(self, stack: Deployed) -> None:
        """Wait until a change that somebody else has begun has ended."""
        while (now := find_stack(self._client, stack.id)) is not None and now.is_changing:
            self._pause()

    def _checked(self, change_set: str, stack: str, existing: Deployed | None) -> ChangeSet | None:
        while True:
            with calling(f"cannot read the change set {change_set}", "cloudformation:DescribeChangeSet"):
                found = self._client.describe_change_set(ChangeSetName=change_set, StackName=stack)
                pages = [found]
                while token := pages[-1].get("NextToken"):
                    pages.append(self._client.describe_change_set(ChangeSetName=change_set, StackName=stack, NextToken=token))
            if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                break
            self._pause()
        changes = tuple(_change(one["ResourceChange"]) for page in pages for one in page["Changes"])
        proposed = ChangeSet(change_set, stack, changes)
        if found["Status"] != _NOTHING_CHANGES:
            return proposed
        self.withdraw(proposed, existing)
        reason = str(found.get("StatusReason", ""))
        if existing is not None and _is_nothing(reason):
            return None
        raise StackError(f"CloudFormation does not accept the stack {self._name}: {reason}")

    def _not_made(self, stack: str, reasons: list[str]) -> StackError:
        try:
            self.delete(stack)
        except StorageError as error:
            said = f"the stack {self._name} was not made, and its remains could not be deleted ({error.message}):"
            return StackError(_listed(said, reasons), error.hint)
        return StackError(_listed(f"the stack {self._name} was not made, and nothing of it is left:", reasons))

    def _followed(self, stack: str, before: str) -> list[ResourceEvent]:
        """Report the events after that one until the stack has stopped changing, and return those that are failures."""
        failures: list[ResourceEvent] = []
        while True:
            new = self._events_since(stack, before)
            for _, event in reversed(new):
                self._report(event)
                failures += [event] if event.is_failure else []
            if any(event.is_end_of_stack for _, event in new):
                return failures
            before = new[0][0] if new else before
            self._pause()

    def _events_since(self, stack: str, event: str) -> list[tuple[str, ResourceEvent]]:
        return list(takewhile(lambda one: one[0] != event, self._events(stack)))

    def _newest_event(self, stack: str) -> str:
        return next((event for event, _ in self._events(stack)), "")

    def _events(self, stack: str) -> Iterator[tuple[str, ResourceEvent]]:
        """The events of a stack with their ids, the newest first."""
        with calling(f"cannot read the events of the stack {self._name}", "cloudformation:DescribeStackEvents"):
            for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack):
                yield from ((one["EventId"], _event(one)) for one in page["StackEvents"])


def _parameter(name: str, value: str | None) -> dict[str, Any]:
    given = {"UsePreviousValue": True} if value is None else {"ParameterValue": value}
    return {"ParameterKey": name, **given}


def _event(found: Mapping[str, Any]) -> ResourceEvent:
    return ResourceEvent(
        at=found["Timestamp"],
        resource=found["LogicalResourceId"],
        kind=found["ResourceType"],
        status=found["ResourceStatus"],
        reason=found.get("ResourceStatusReason") or "",
    )


def _change(found: Mapping[str, Any]) -> Change:
    replaces = found.get("Replacement") in {"True", "Conditional"}
    return Change(found["Action"], found["LogicalResourceId"], found["ResourceType"], replaces)


def _says_nothing_changes(error: ClientError) -> bool:
    said = error.response["Error"]
    return said["Code"] == "ValidationError" and _is_nothing(str(said.get("Message", "")))


def _is_nothing(reason: str) -> bool:
    """Whether a change set failed because nothing would change. CloudFormation says it in these words only, without a code."""
    return "didn't contain changes" in reason or "No updates are to be performed" in reason


def _reasons(failures: list[ResourceEvent]) -> list[str]:
    return [f"{one.resource} ({one.kind}): {one.reason or one.status}" for one in failures]


def _listed(said: str, reasons: list[str]) -> str:
    return "\n".join([said, *(f"  {reason}" for reason in reasons)])


def shown_changes(changes: tuple[Change, ...]) -> Iterator[str]:
    """A line for each change."""
    words = {"Add": "add", "Modify": "change", "Remove": "remove"}
    for one in changes:
        verb = "replace" if one.replaces and one.action == "Modify" else words.get(one.action, one.action.lower())
        yield f"would {verb} {one.resource} ({one.kind})"
