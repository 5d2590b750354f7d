"""Expressions of GitLab: `$CI_COMMIT_BRANCH == "main" && $DEPLOY =~ /^v/`."""

from __future__ import annotations

import re
from collections.abc import Callable
from shlex import quote

from dockercise_prefect.importing.conditions import ALWAYS, NEVER, Condition, Matches, Test, Unknown, all_of, any_of, negated
from dockercise_prefect.importing.regular import glob_of
from dockercise_prefect.importing.variables import GITLAB, used_in

DEFAULT_BRANCH = "main"
"""What stands for `$CI_DEFAULT_BRANCH`, which is a setting of the project."""

_TOKEN = re.compile(
    r"\s*(?:(?P<op>==|!=|=~|!~|&&|\|\||[()])|\$\{?(?P<var>\w+)\}?|(?P<null>null)\b|/(?P<regex>(?:\\.|[^/\\])*)/(?P<flags>i?)|"
    r'"(?P<double>[^"]*)"|\'(?P<single>[^\']*)\')'
)
_DEEPEST = 50

_KEYS = {
    "CI_COMMIT_BRANCH": "branch",
    "CI_COMMIT_REF_NAME": "branch",
    "CI_COMMIT_REF_SLUG": "branch",
    "CI_BUILD_REF_NAME": "branch",
    "CI_COMMIT_TAG": "tag",
    "CI_BUILD_TAG": "tag",
}
EVENTS = {
    "push": "push",
    "merge_request_event": "pull_request",
    "schedule": "schedule",
    "web": "manual",
    "api": "manual",
    "trigger": "manual",
    "pipeline": "manual",
}

_Token = tuple[str, str]


class _SyntaxError(Exception):
    """The expression is not one of GitLab's."""


def condition_of(expression: str, on_default_branch: Callable[[], None]) -> Condition:
    """The condition of an expression.

    Args:
        expression: its text.
        on_default_branch: called if it names the default branch, which only the project knows.
    """
    try:
        return _Parser(expression, on_default_branch).read()
    except _SyntaxError:
        return Unknown(expression)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise _SyntaxError
        kind = match.lastgroup or ""
        if kind == "flags":
            found.append(("regex", (match["regex"] or "") + ("\0i" if match["flags"] else "")))
        else:
            found.append(("text" if kind in {"double", "single"} else kind, match[kind] or ""))
        at = match.end()
    return found


class _Parser:
    def __init__(self, text: str, on_default_branch: Callable[[], None]) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._on_default_branch = on_default_branch
        self._depth = 0

    def read(self) -> Condition:
        found = self._any()
        if self._tokens:
            raise _SyntaxError
        return found

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._skip("||"):
            parts.append(self._all())
        return any_of(parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._skip("&&"):
            parts.append(self._one())
        return all_of(parts)

    def _one(self) -> Condition:
        if self._skip("("):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _SyntaxError
            found = self._any()
            self._depth -= 1
            if not self._skip(")"):
                raise _SyntaxError
            return found
        left = self._operand()
        for sign in ("==", "!=", "=~", "!~"):
            if self._skip(sign):
                found = self._compared(left, sign[-1] if sign[1] == "~" else "=", self._operand())
                return negated(found) if sign[0] == "!" else found
        return self._set(left)

    def _skip(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("op", sign):
            self._tokens.pop(0)
            return True
        return False

    def _operand(self) -> _Token:
        if not self._tokens or self._tokens[0][0] == "op":
            raise _SyntaxError
        return self._tokens.pop(0)

    def _set(self, token: _Token) -> Condition:
        kind, name = token
        if kind != "var":
            return ALWAYS if kind == "text" and name else NEVER
        if name in _KEYS:
            return Matches(_KEYS[name], ("**",))
        if name.startswith("CI_MERGE_REQUEST_") or name == "CI_OPEN_MERGE_REQUESTS":
            return Matches("event", ("pull_request",))
        return self._test(name, '[ -n "${}" ]')

    def _compared(self, left: _Token, sign: str, right: _Token) -> Condition:  # noqa: PLR0911  one for each kind
        if left[0] != "var":
            left, right = right, left
        (kind, name), (other, value) = left, right
        if kind != "var":
            return ALWAYS if value == name else NEVER
        if other == "null" or (other == "text" and not value and sign == "="):
            return negated(self._set(left))
        if other == "var":
            return self._with_variable(name, value)
        if other == "text" and sign == "~":
            other, value = "regex", value.removeprefix("/").removesuffix("/")
        if other == "regex":
            return self._matching(name, value)
        if name in _KEYS:
            return Matches(_KEYS[name], (value,))
        if name == "CI_PIPELINE_SOURCE":
            return Matches("event", (EVENTS[value],)) if value in EVENTS else NEVER
        return self._test(name, f'[ "${{}}" = {quote(value).replace("{", "{{").replace("}", "}}")} ]')

    def _with_variable(self, name: str, other: str) -> Condition:
        if name == "CI_DEFAULT_BRANCH":
            name, other = other, name
        if other == "CI_DEFAULT_BRANCH" and _KEYS.get(name) == "branch":
            self._on_default_branch()
            return Matches("branch", (DEFAULT_BRANCH,))
        raise _SyntaxError

    def _matching(self, name: str, expression: str) -> Condition:
        pattern, _, flags = expression.partition("\0")
        glob = None if flags else glob_of(pattern, whole=False)
        if glob is not None and name in _KEYS:
            return Matches(_KEYS[name], (glob,))
        grep = f"grep -{'i' if flags else ''}Eq {quote(pattern)}".replace("{", "{{").replace("}", "}}")
        return self._test(name, 'printf %s "${}" | ' + grep)

    def _test(self, name: str, script: str) -> Condition:
        computed = GITLAB.computed.get(name)
        if computed is not None:
            return Test(script.replace('"${}"', "{}").format(computed), tuple(used_in(computed)))
        ours = GITLAB.renamed.get(name)
        if ours is None and GITLAB.is_predefined(name):
            return Unknown(self._text)
        return Test(script.format(ours or name), (ours or name,))
