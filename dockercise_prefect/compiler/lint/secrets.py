"""The rule about secrets in the pipeline's files. Its messages never contain the secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from dockercise_prefect.compiler.lint.subject import Subject, scalars
from dockercise_prefect.errors import Diagnostic, Place
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar
from dockercise_prefect.pipeline import Code

_NAME = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_?KEY|SECRET_?KEY|(?:SECRET|AUTH)_?ACCESS_?KEY)\Z",
    re.IGNORECASE,
)
"""Variables that hold a secret. `TOKEN_URL`, `MAX_TOKENS` and `PASSWORD_FILE` do not."""

_FORMS = (
    ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])*(?:Proc-Type:|[A-Za-z0-9+/]{8,})"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a live Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
)
KNOWN_FORMS = re.compile("|".join(f"({pattern})" for _, pattern in _FORMS))
"""The keys of well-known services."""

_FILLED = re.compile(r"(.)\1{7}")
"""The same character eight times. A real key does not contain that."""

_NO_SECRET = re.compile(
    r"""
      .{0,3}                                  # too short to keep anything
    | true | false | yes | no | on | off | null | none
    | [-+]?[\d.,_]+                           # a number
    | (.)\1*                                  # ****
    | .*[$`].* | .*\{\{.* | .*%\(.*           # filled in later
    | <.*> | \[.*\]
    | (?:\.{0,2}|~)/[\w./@+-]*                # a path
    | https?://[^@\s]*                        # an address without a password
    | .*(?:example|change[-_ ]?(?:me|this|it)|replace[-_ ]?(?:me|this)|dummy|placeholder|fake|sample|redacted|your[-_ ]).*
    | (?:test|my|the|api|some|a|insecure)?[-_ ]?(?:password|passwd|passphrase|secret|token|key|test|testing)
    | admin | root | user | postgres | mysql | guest | default | local | dev | development | ci
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Texts that are not secret: placeholders, and common passwords of test databases."""


class _Literal(NamedTuple):
    """A variable with its text in `env`, and the place where it is written."""

    name: str
    text: str
    place: Place


def looks_secret(subject: Subject) -> Iterator[Diagnostic]:
    """DK107: a text has the form of a well-known kind of key, or is the value of a variable with a name like a secret's."""
    for owner, node in subject.environments():
        for literal in _literals(node):
            form = _form(literal.text)
            if is_like_a_secret(literal.name, literal.text):
                yield warning(
                    Code.LOOKS_SECRET,
                    f"{owner}: `env` sets `{literal.name}` to what looks like {form or 'a secret'}",
                    literal.place,
                    hint=f"pass it from outside: `env: {literal.name}`, with `--env`, `--env-file` or a Prefect Secret block",
                )
    for stage in subject.pipeline:
        for key in ("run", "build"):
            written = subject.written(stage, key)
            if written is not None:
                yield from _in_texts(written.owner, key, written.node, subject)


def is_like_a_secret(name: str, text: str) -> bool:
    """Whether the text has the form of a well-known kind of key, or the variable has a name like a secret's."""
    return _form(text) is not None or (_NAME.search(name) is not None and not _NO_SECRET.fullmatch(text.strip()))


def _in_texts(owner: str, key: str, node: Node, subject: Subject) -> Iterator[Diagnostic]:
    for scalar in scalars(node) if key == "run" else _build_args(node):
        for match in KNOWN_FORMS.finditer(scalar.text):
            if not _FILLED.search(match[0]):
                yield warning(
                    Code.LOOKS_SECRET,
                    f"{owner}: `{key}` contains what looks like {_name_of(match)}",
                    subject.positions.within(scalar.text, match.start(), scalar.place),
                    hint="pass it from outside, as a variable in `env`"
                    if key == "run"
                    else "build arguments stay in the image's history: pass it to a stage as a variable in `env`",
                )


def _build_args(node: Node) -> Iterator[Scalar]:
    args = node.by_key.get("args") if isinstance(node, Mapping) else None
    if isinstance(args, Mapping):
        yield from (value for _, value in args if isinstance(value, Scalar))


def _literals(node: Node) -> Iterator[_Literal]:
    if isinstance(node, Mapping):
        for key, value in node:
            if isinstance(value, Scalar):
                yield _Literal(key.text, value.text, key.place)
        return
    for scalar in scalars(node):
        name, equals, text = scalar.text.partition("=")
        if equals:
            yield _Literal(name, text, scalar.place)


def _form(text: str) -> str | None:
    match = KNOWN_FORMS.search(text)
    return None if match is None or _FILLED.search(match[0]) else _name_of(match)


def _name_of(match: re.Match[str]) -> str:
    return next(name for (name, _), found in zip(_FORMS, match.groups(), strict=True) if found is not None)
