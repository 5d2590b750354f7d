"""Decides about one request by the rules of IAM: an allowing statement fits it, and no denying one does.

Only the operators that our templates use are known; another one is an error. See AWS, IAM User Guide, "Policy evaluation logic"
and "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tests.support.aws.cfn import statements, text_of

Context = Mapping[str, str | Sequence[str]]
"""The keys of a request, such as the tag of its resource."""


def permits(template: Mapping[str, Any], role: str, action: str, resource: str, **context: str | Sequence[str]) -> bool:
    """Whether a role may do an action with a resource.

    Args:
        template: the template that has the role.
        role: the name of the role in the template.
        action: such as `ec2:RunInstances`.
        resource: the ARN of one of the resources of the request; IAM asks for each of them.
        context: the keys of the request, with two underscores for each colon: `ec2__Public`; `tag` is the tag `dockercise`.
            The ARN of another resource of the template is `<Stacks.Arn>`.
    """
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    if "tag" in keys:
        keys["aws:ResourceTag/dockercise"] = keys.pop("tag")
    fitting = [
        statement["Effect"]
        for statement in statements(template, role)
        if any(fnmatchcase(action, pattern) for pattern in _listed(statement["Action"]))
        and any(fnmatchcase(resource, _text(pattern)) for pattern in _listed(statement["Resource"]))
        and all(_holds(operator, wanted, keys) for operator, wanted in statement.get("Condition", {}).items())
    ]
    return bool(fitting) and "Deny" not in fitting


def _holds(operator: str, wanted: Mapping[str, Any], keys: Context) -> bool:
    return all(_OPERATORS[operator](keys.get(key), [_text(one) for one in _listed(values)]) for key, values in wanted.items())


_OPERATORS: Mapping[str, Callable[[Any, Sequence[str]], bool]] = {
    "Bool": lambda given, wanted: given in wanted,
    "BoolIfExists": lambda given, wanted: given is None or given in wanted,
    "ForAnyValue:StringLike": lambda given, wanted: any(fnmatchcase(one, like) for one in given or () for like in wanted),
    "Null": lambda given, wanted: str(given is None).lower() in wanted,
    "StringEquals": lambda given, wanted: given in wanted,
    "StringLike": lambda given, wanted: given is not None and any(fnmatchcase(given, like) for like in wanted),
}


def _text(value: Any) -> str:
    return f"<{value['Fn::GetAtt']}>" if isinstance(value, Mapping) and "Fn::GetAtt" in value else text_of(value)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
