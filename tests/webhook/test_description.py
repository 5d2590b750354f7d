"""The check of requests and answers to GitHub: everything that GitHub's description does not contain is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.hosts.github_server import GITHUB, OPENAPI
from tests.support.hosts.openapi import Description, Request


@pytest.fixture(scope="module")
def description() -> Description:
    """GitHub's own description."""
    return Description(OPENAPI.file(f"generated/{GITHUB}.json"))


@pytest.mark.parametrize(
    ("request_line", "body", "wrong"),
    [
        ("POST /repos/a/b/keys", {"key": "ssh-ed25519 AAAA", "read_only": True}, None),
        ("GET /repos/a/b/keys?per_page=100", None, None),
        ("POST /repos/a/b/keyz", {"key": "ssh-ed25519 AAAA"}, "the description knows no POST /repos/a/b/keyz"),
        ("PUT /repos/a/b/keys", {"key": "ssh-ed25519 AAAA"}, "the description knows no PUT"),
        ("POST /repos/a/b/keys", {"title": "a title"}, "'key' is a required property"),
        ("POST /repos/a/b/keys", {"key": "AAAA", "readonly": True}, "body has no readonly"),
        ("POST /repos/a/b/keys", {"key": 1}, "1 is not of type 'string'"),
        ("POST /repos/a/b/keys", None, "its body is missing"),
        ("GET /repos/a/b/keys", {"page": 1}, "it has no body"),
        ("GET /repos/a/b/keys?size=1", None, "it has no parameter size in its query"),
        ("GET /repos/a/b/keys?page=one", None, "'one' is not of type 'integer'"),
        ("PATCH /repos/a/b/hooks/1", {"config": {"uri": "https://hooks.example.org"}}, "body.config has no uri"),
        ("PATCH /repos/a/b/hooks/one", {"active": True}, "'one' is not of type 'integer'"),
        ("POST /repos/a/b/statuses/1a", {"state": "passed"}, "'passed' is not one of"),
    ],
)
def test_requests(description: Description, request_line: str, body: Any, wrong: str | None) -> None:
    """A request is checked by its path, method, query and body."""
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    text = b"" if body is None else json.dumps(body).encode()

    found = description.wrong_in_request(Request(method, path, query, {"content-type": "application/json"}, text))

    assert bool(found) == bool(wrong)
    assert wrong is None or wrong in found[0]


@pytest.mark.parametrize(
    ("status", "answer", "wrong"),
    [
        (201, "example", None),
        (201, {"id": 1}, "is a required property"),
        (200, "example", "there is no answer 200"),
        (422, {"message": "Validation Failed"}, "'documentation_url' is a required property"),
        (401, {"message": "Bad credentials"}, None),
        (401, {"message": 1}, "1 is not of type 'string'"),
    ],
)
def test_answers(description: Description, status: int, answer: Any, wrong: str | None) -> None:
    """An answer is checked by the schema of its status; an error that is not listed is checked like any other."""
    operation = description.find("POST", "/repos/a/b/keys")
    assert operation is not None
    body = description.example("deploy-key") if answer == "example" else answer

    found = description.wrong_in_answer(operation, status, body)

    assert bool(found) == bool(wrong)
    assert wrong is None or wrong in found[0]
