"""GitHub's pages for the device flow, as its documentation describes them: “Authorizing OAuth apps”."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

CLIENT_ID = "Iv23liAppOfTheTests1"
USER_CODE = "WDJB-MJHT"
DEVICE_CODE = "3584d83530557fdd1f46af8289938c8ef79f9dc5"
PENDING: Mapping[str, Any] = {"error": "authorization_pending"}

Reply = Mapping[str, Any] | int | bytes | None
"""The answer to a question: JSON, a status with an empty body, other bytes, or None for a connection that is cut.

A status of a redirection leads to the same page.
"""


@dataclass
class DeviceFlowPages:
    """The two pages that a program asks. What is wrong with a question is answered as GitHub does.

    Attributes:
        replies: the answers to the next questions, in this order. The last one is given again and again.
        started: what else the answer to the first question says.
        questions: how many questions were asked whether the user has agreed.
        asked: called before each answer to such a question.
        scopes: what programs have asked for.
    """

    replies: list[Reply] = field(default_factory=lambda: [PENDING])
    started: Mapping[str, Any] = field(default_factory=dict)
    questions: int = 0
    asked: Callable[[], object] = lambda: None
    scopes: list[str] = field(default_factory=list)

    def take(self, web: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int | None, Any, Mapping[str, str]]:
        """Answer a question: status (None for no answer), body and headers."""
        fields = dict(parse_qsl(body.decode()))
        if headers.get("accept") != "application/json" or "authorization" in headers:
            return 200, b"error=the+question+is+not+one+for+json+without+a+password", {}
        if fields.get("client_id") != CLIENT_ID:
            return 404, {"error": "Not Found"}, {}
        if path == "/login/device/code":
            self.scopes.append(fields["scope"])
            about = {"device_code": DEVICE_CODE, "user_code": USER_CODE, "verification_uri": f"{web}/login/device"}
            return 200, about | {"expires_in": 900, "interval": 0} | dict(self.started), {}
        if path != "/login/oauth/access_token":
            return 404, b"<html>", {}
        return self._answer(fields)

    def _answer(self, fields: Mapping[str, str]) -> tuple[int | None, Any, Mapping[str, str]]:
        self.questions += 1
        self.asked()
        if fields.get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code":
            return 200, {"error": "unsupported_grant_type"}, {}
        if fields.get("device_code") != DEVICE_CODE:
            return 200, {"error": "incorrect_device_code"}, {}
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, int):
            return reply, b"", {"Location": "/login/oauth/access_token"} if 300 <= reply < 400 else {}
        if reply is None or isinstance(reply, bytes):
            return (None if reply is None else 200), reply, {}
        return 200, dict(reply), {}
