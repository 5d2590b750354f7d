"""`if` of jobs and steps."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from dockercise_prefect.frontend.nodes import Node
from dockercise_prefect.importing.conditions import ALWAYS, NEVER, Condition, Matches, Test, Unknown, all_of, any_of, negated
from dockercise_prefect.importing.github.expressions import (
    Call,
    Expression,
    Literal,
    Name,
    Operation,
    SyntaxProblemError,
    parsed,
)
from dockercise_prefect.importing.github.texts import Texts
from dockercise_prefect.importing.model import Status
from dockercise_prefect.importing.notes import quoted
from dockercise_prefect.importing.variables import GITHUB, used_in

_STATUSES: dict[str, Status] = {"always": "always", "failure": "failure", "cancelled": "always", "success": "success"}
_EVENTS = {
    "push": "push",
    "pull_request": "pull_request",
    "pull_request_target": "pull_request",
    "schedule": "schedule",
    "workflow_dispatch": "manual",
    "repository_dispatch": "manual",
}
_REFS = (("refs/heads/", "branch"), ("refs/tags/", "tag"))
_FUNCTIONS = {"startswith": "{}*", "endswith": "*{}", "contains": "*{}*"}


@dataclass(slots=True)
class If:
    """An `if`: when it holds, and after which outcome."""

    condition: Condition = ALWAYS
    status: Status = "success"


def read_if(text: str | None, texts: Texts, at: Node) -> If:
    """Read an `if`, with or without `${{ }}` around it."""
    if text is None:
        return If()
    inner = text.strip()
    if inner.startswith("${{") and inner.endswith("}}") and inner.count("${{") == 1:
        inner = inner[3:-2]
    try:
        expression = parsed(inner)
    except SyntaxProblemError:
        return If(Unknown(text))
    reader = _Reader(texts, at)
    return If(reader.condition(expression), reader.status)


class _Reader:
    def __init__(self, texts: Texts, at: Node) -> None:
        self._texts = texts
        self._at = at
        self.status: Status = "success"

    def condition(self, expression: Expression) -> Condition:  # noqa: PLR0911  one for each kind
        match expression:
            case Operation("&&", parts):
                return all_of(self.condition(part) for part in parts)
            case Operation("||", parts):
                return any_of(self.condition(part) for part in parts)
            case Operation("!", (part,)):
                return ALWAYS if isinstance(part, Call) and part.name in _STATUSES else negated(self.condition(part))
            case Operation("==", (left, right)):
                return self._compared(left, right)
            case Operation("!=", (left, right)):
                return negated(self._compared(left, right))
            case Call(name, _) if name in _STATUSES:
                self.status = _STATUSES[name]
                return ALWAYS
            case Call(name, (left, Literal(text))) if name in _FUNCTIONS:
                return self._matching(left, _FUNCTIONS[name], text)
            case _:
                return self._true(expression)

    def _compared(self, left: Expression, right: Expression) -> Condition:  # noqa: PLR0911  one for each name
        if isinstance(left, Literal):
            left, right = right, left
        path = ".".join(left.path) if isinstance(left, Name) else ""
        if isinstance(right, Literal):
            known = self._texts.constants.get(path)
            if known is not None or isinstance(left, Literal):
                return ALWAYS if (known if known is not None else self._texts.variable(left)) == right.text else NEVER
            if path == "runner.os":
                return ALWAYS if right.text == "Linux" else NEVER
            if path == "github.event_name":
                return Matches("event", (_EVENTS[right.text],)) if right.text in _EVENTS else NEVER
            if path in {"github.ref_name", "github.head_ref"}:
                return Matches("branch", (right.text,))
            if path == "github.ref":
                return self._reference(right.text)
            if path in {"github.repository", "github.repository_owner", "github.event.repository.full_name"}:
                self._texts.notes.changed(
                    "condition", f"it is taken for granted that `{path}` is {quoted(right.text)}", self._at
                )
                return ALWAYS
            if path.startswith("needs.") and path.endswith(".result"):
                return ALWAYS if right.text == "success" else Unknown(f"{path} == '{right.text}'")
        return self._test(left, "[ {} = " + self._word(right) + " ]", right)

    def _reference(self, text: str) -> Condition:
        for start, key in _REFS:
            if text.startswith(start):
                return Matches(key, (text.removeprefix(start),))
        return NEVER

    def _matching(self, left: Expression, pattern: str, text: str) -> Condition:
        path = ".".join(left.path) if isinstance(left, Name) else ""
        known = self._texts.constants.get(path)
        if known is not None:
            holds = {"{}*": known.startswith(text), "*{}": known.endswith(text), "*{}*": text in known}[pattern]
            return ALWAYS if holds else NEVER
        if path == "github.ref" and pattern == "{}*":
            for start, key in _REFS:
                if text.startswith(start):
                    return Matches(key, (text.removeprefix(start) + "*",)) if text != start else Matches(key, ("**",))
        if path == "github.ref" and pattern == "*{}*" and text.startswith(tuple(start for start, _ in _REFS)):
            return self._matching(left, "{}*", text)
        case = f"case {{}} in {pattern.format(quote(text))}) ;; *) false ;; esac"
        return self._test(left, case, None)

    def _true(self, expression: Expression) -> Condition:
        match expression:
            case Literal(text):
                return NEVER if text in {"", "false", "0"} else ALWAYS
            case Name(path) if path[:2] == ("github", "event") and "pull_request" in path:
                return Matches("event", ("pull_request",))
        value = self._texts.variable(expression)
        if value is None:
            return Unknown(_shown(expression))
        return self._test(expression, "case {} in '' | false | 0) false ;; esac", None)

    def _word(self, expression: Expression) -> str:
        if isinstance(expression, Literal):
            return quote(expression.text)
        return f'"{self._texts.variable(expression) or ""}"'

    def _test(self, left: Expression, script: str, right: Expression | None) -> Condition:
        values = [self._texts.variable(each) for each in (left, right) if each is not None]
        if any(value is None for value in values):
            return Unknown(" ".join(_shown(each) for each in (left, right) if each is not None))
        names = [name for value in values if value for name in used_in(value)]
        subject = f'"{values[0]}"'
        for name in names:
            if name in GITHUB.computed:
                subject = subject.replace(f'"${name}"', GITHUB.computed[name])
        variables = [used for name in names for used in (used_in(GITHUB.computed[name]) if name in GITHUB.computed else [name])]
        return Test(script.replace("{}", subject, 1), tuple(dict.fromkeys(variables)))


def _shown(expression: Expression) -> str:
    match expression:
        case Literal(text):
            return f"'{text}'"
        case Name(path):
            return ".".join(path)
        case Call(name, arguments):
            return f"{name}({', '.join(map(_shown, arguments))})"
        case Operation(sign, operands):
            return f" {sign} ".join(map(_shown, operands))
