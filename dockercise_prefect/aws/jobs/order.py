"""The order of a job: whose repository to run, and at which commit. The door of the jobs writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from json import dumps

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dockercise_prefect.errors import UsageError

ORDER_VARIABLE = "DOCKERCISE_JOB_ORDER"
"""The variable of a task with its order. Everybody who may describe the task can read it, so it contains no secret."""

STACK_VARIABLE = "DOCKERCISE_JOB_STACK"
"""The variable of a task with the name of the stack of jobs, below which the parameters of customers are."""


@with_config(ConfigDict(extra="ignore", strict=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one task does.

    Attributes:
        customer: the name of the customer.
        repository: the name of the repository's parameter in the customer's stack.
        commit: the full id of the commit; for a tag, of the object that the tag names.
        branch: the branch that was pushed; empty for a tag.
        tag: the tag that was pushed; empty for a branch.
        before: the commit that the branch was at before the push; empty if there was none.
    """

    customer: str
    repository: str
    commit: str
    branch: str = ""
    tag: str = ""
    before: str = ""

    def to_text(self) -> str:
        """The order as JSON."""
        return dumps(asdict(self), separators=(",", ":"))


_ORDERS = TypeAdapter(Order)


def order_of(environment: Mapping[str, str]) -> Order:
    """The order in the environment of a task.

    Raises:
        UsageError: the order is missing, or it cannot be read.
    """
    text = environment.get(ORDER_VARIABLE)
    if not text:
        hint = 'the door of the jobs sets it; by hand: {"customer": "…", "repository": "…", "commit": "…", "branch": "…"}'
        raise UsageError(f"there is no order: {ORDER_VARIABLE} is not set", hint)
    try:
        return _ORDERS.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        hint = "the door and the image of the task should have the same version"
        raise UsageError(
            f"the order in {ORDER_VARIABLE} cannot be read: {where or 'the text'}: {first['msg']}", hint
        ) from error
