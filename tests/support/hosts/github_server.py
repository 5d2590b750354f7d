"""GitHub on loopback. It checks every request and every answer against GitHub's own description.

It has repositories with deploy keys, webhooks and statuses, and fails if a test asks for it. Errors in a request, or in one of
its own answers, are kept in `wrong`, and fail the test that uses the fixture.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.support.hosts.device_flow_pages import DeviceFlowPages
from tests.support.hosts.openapi import Description, Operation, Request
from tests.support.npm_package import NpmPackage

OPENAPI = NpmPackage(
    "@octokit/openapi",
    "23.0.2",
    "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
)
GITHUB, ENTERPRISE = "api.github.com", "ghes-3.19"
"""The descriptions of GitHub itself and of GitHub Enterprise."""

TOKEN = "github_pat_11ABCDE0Zx8Kq2Lw9Rt_s3cretTokenOfTheTests4Yb"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDAZFvDtFqGn2Q6rqUvFl0n3zOtuLbMxSsK5bR4rbGJo"

Json = dict[str, Any]
Answer = tuple[int, Any]
AnswerWithHeaders = tuple[int, Any, Mapping[str, str]]


@dataclass
class HostedRepository:
    """A repository on the server. Its hooks contain their secrets, but answers do not show them."""

    name: str
    admin: bool = True
    private: bool = True
    archived: bool = False
    pushed: str = "2026-11-30T18:00:00Z"
    ssh_url: str = "git@github.com:acme/infra.git"
    keys: dict[int, Json] = field(default_factory=dict)
    hooks: dict[int, Json] = field(default_factory=dict)
    statuses: list[Json] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """A failure of requests with a method to a path. `done` says whether the server first does what the request asks.

    Attributes:
        status: the status of the answer; None cuts the connection.
        times: how many requests fail.
        meanwhile: called before the answer.
    """

    method: str
    path: str
    status: int | None
    body: Any = field(default_factory=lambda: {"message": "Server Error"})
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False
    times: int = 1_000
    meanwhile: Callable[[], object] = lambda: None


@dataclass
class GitHubServer:
    """A running server.

    Attributes:
        api: the address of its API.
        repositories: the repositories, by name.
        moved: old name to new.
        requests: the method and path of each request.
        wrong: errors in requests and answers, according to the description.
        user: the name of the token's user.
        scopes: the scopes of the token; None for a fine-grained token, which has none.
        logins: its pages for the device flow.
    """

    api: str
    prefix: str
    description: Description
    repositories: dict[str, HostedRepository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    per_page: int = 100
    host_key: str = HOST_KEY
    user: str = "octocat"
    scopes: str | None = None
    logins: DeviceFlowPages = field(default_factory=DeviceFlowPages)
    _failures: list[list[Any]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _last: int = 100

    def host(self, name: str, **about: Any) -> HostedRepository:
        """Add a repository."""
        self.repositories[name] = HostedRepository(name, **about)
        return self.repositories[name]

    def fail(self, failure: Failure) -> None:
        """Make requests fail from now on."""
        self._failures.append([failure, failure.times])

    def heal(self) -> None:
        """End all failures."""
        self._failures.clear()

    def written(self) -> list[tuple[str, str]]:
        """The requests that ask for a change."""
        return [(method, path) for method, path in self.requests if method != "GET"]

    def take(self, request: Request) -> tuple[int | None, Any, Mapping[str, str]]:
        """Answer a request: status (None for no answer), body and headers."""
        with self._lock:
            self.requests.append((request.method, request.path))
            self.wrong += self._wrong(request)
            failure = self._failing(request)
            status, body, headers = self._answer(request) if failure is None or failure.done else (0, None, {})
            if failure is not None:
                failure.meanwhile()
                status, body, headers = cast("Any", failure.status), failure.body, failure.headers
            operation = self.description.find(request.method, request.path)
            if operation is not None and status and isinstance(body, dict | list | None):
                self.wrong += self.description.wrong_in_answer(operation, status, body)
            return status, body, headers

    def _wrong(self, request: Request) -> list[str]:
        wrong = self.description.wrong_in_request(request)
        if not request.headers.get("user-agent"):
            wrong.append(f"{request.path}: GitHub answers nobody without a user agent")
        if request.headers.get("x-github-api-version") != "2022-11-28":
            wrong.append(f"{request.path}: it names no version of the API")
        if TOKEN in request.path + request.query:
            wrong.append(f"{request.path}: there is a token in the address")
        return wrong

    def _failing(self, request: Request) -> Failure | None:
        for entry in self._failures:
            failure, left = entry
            if left > 0 and failure.method == request.method and re.fullmatch(failure.path, request.path):
                entry[1] -= 1
                return cast("Failure", failure)
        return None

    def _answer(self, request: Request) -> AnswerWithHeaders:
        if request.headers.get("authorization") not in {f"token {TOKEN}", f"Bearer {TOKEN}"}:
            return 401, _message("Bad credentials"), {}
        operation = self.description.find(request.method, request.path)
        if operation is not None and operation.name in _OF_EVERYONE:
            return cast("AnswerWithHeaders", getattr(self, _OF_EVERYONE[operation.name])(request))
        name = "{owner}/{repo}".format_map({"owner": "", "repo": ""} | dict(operation.parameters if operation else {}))
        if name in self.moved:
            return 301, _message("Moved Permanently"), {"Location": f"{self.api}/repos/{self.moved[name]}"}
        repository = self.repositories.get(name)
        handler = getattr(self, _HANDLERS[operation.name], None) if operation and operation.name in _HANDLERS else None
        if repository is None or handler is None:
            return 404, _message("Not Found"), {}
        body = json.loads(request.body) if request.body else {}
        status, found = cast("Callable[..., Answer]", handler)(repository, operation, body)
        if isinstance(found, list):
            return status, *self._page(request, found)
        return status, found, {}

    def _user(self, _request: Request) -> AnswerWithHeaders:
        about = self.description.example("private-user-response-with-public-and-private-profile-information")
        about |= {"login": self.user, "user_view_type": "private"}
        return 200, about, {} if self.scopes is None else {"X-OAuth-Scopes": self.scopes}

    def _repositories_of_user(self, request: Request) -> AnswerWithHeaders:
        asked = dict(parse_qsl(request.query))
        by_push = asked.get("sort") == "pushed"
        is_reversed = asked.get("direction", "desc" if by_push else "asc") == "desc"
        listed = sorted(self.repositories.values(), key=lambda one: one.pushed if by_push else one.name, reverse=is_reversed)
        return 200, *self._page(request, [self._listed(one) for one in listed])

    def _listed(self, repository: HostedRepository) -> Json:
        _, about = self.repository(repository, Operation("", "", {}, {}), {})
        return cast("Json", about)

    def _page(self, request: Request, found: list[Json]) -> tuple[list[Json], Mapping[str, str]]:
        number = int(parse_qs(request.query).get("page", ["1"])[0])
        start = (number - 1) * self.per_page
        more = {"Link": f'<{self.api}{request.path}?page={number + 1}>; rel="next"'} if found[start + self.per_page :] else {}
        return found[start : start + self.per_page], more

    def _meta(self, _request: Request) -> AnswerWithHeaders:
        about = self.description.example("api-overview")
        if "ssh_keys" in about:
            about |= {"ssh_keys": [self.host_key], "ssh_key_fingerprints": {"SHA256_ED25519": "1234567890"}}
        return 200, about, {}

    def repository(self, repository: HostedRepository, _operation: Operation, _body: Json) -> Answer:
        about = self.description.example("full-repository-default-response")
        for other in ("parent", "source", "template_repository"):
            about.pop(other, None)
        about |= {
            "name": repository.name.partition("/")[2],
            "full_name": repository.name,
            "private": repository.private,
            "visibility": "private" if repository.private else "public",
            "default_branch": "main",
            "archived": repository.archived,
            "pushed_at": repository.pushed,
            "language": None,
            "ssh_url": repository.ssh_url,
            "url": f"{self.api}/repos/{repository.name}",
            "permissions": {"admin": repository.admin, "maintain": True, "push": True, "triage": True, "pull": True},
        }
        return 200, about

    def keys(self, repository: HostedRepository, _operation: Operation, _body: Json) -> Answer:
        return 200, list(repository.keys.values())

    def add_key(self, repository: HostedRepository, _operation: Operation, body: Json) -> Answer:
        if any(
            key["key"].split()[1] == body["key"].split()[1] for each in self.repositories.values() for key in each.keys.values()
        ):
            return 422, _invalid("PublicKey", "key", "key is already in use")
        number = self._number()
        repository.keys[number] = self.description.example("deploy-key") | {
            "id": number,
            "key": " ".join(body["key"].split()[:2]),
            "title": body.get("title", ""),
            "read_only": body.get("read_only", False),
            "url": f"{self.api}/repos/{repository.name}/keys/{number}",
        }
        return 201, repository.keys[number]

    def remove_key(self, repository: HostedRepository, operation: Operation, _body: Json) -> Answer:
        there = repository.keys.pop(int(operation.parameters["key_id"]), None)
        return (204, None) if there else (404, _message("Not Found"))

    def hooks(self, repository: HostedRepository, _operation: Operation, _body: Json) -> Answer:
        return 200, [_shown(hook) for hook in repository.hooks.values()]

    def add_hook(self, repository: HostedRepository, _operation: Operation, body: Json) -> Answer:
        if any(hook["config"]["url"] == body["config"]["url"] for hook in repository.hooks.values()):
            return 422, _invalid("Hook", "base", "Hook already exists on this repository")
        number = self._number()
        about = {"id": number, "url": f"{self.api}/repos/{repository.name}/hooks/{number}"}
        hook = self.description.example("hook") | about
        repository.hooks[number] = hook | {key: body[key] for key in ("config", "events", "active")}
        return 201, _shown(repository.hooks[number])

    def set_hook(self, repository: HostedRepository, operation: Operation, body: Json) -> Answer:
        hook = repository.hooks.get(int(operation.parameters["hook_id"]))
        if hook is None:
            return 404, _message("Not Found")
        hook |= body
        return 200, _shown(hook)

    def remove_hook(self, repository: HostedRepository, operation: Operation, _body: Json) -> Answer:
        there = repository.hooks.pop(int(operation.parameters["hook_id"]), None)
        return (204, None) if there else (404, _message("Not Found"))

    def add_status(self, repository: HostedRepository, operation: Operation, body: Json) -> Answer:
        about = self.description.example("status") | body
        repository.statuses.append({"sha": operation.parameters["sha"], **body})
        return 201, about

    def _number(self) -> int:
        self._last += 1
        return self._last


_OF_EVERYONE = {"GET /meta": "_meta", "GET /user": "_user", "GET /user/repos": "_repositories_of_user"}
_HANDLERS = {
    "GET /repos/{owner}/{repo}": "repository",
    "GET /repos/{owner}/{repo}/keys": "keys",
    "POST /repos/{owner}/{repo}/keys": "add_key",
    "DELETE /repos/{owner}/{repo}/keys/{key_id}": "remove_key",
    "GET /repos/{owner}/{repo}/hooks": "hooks",
    "POST /repos/{owner}/{repo}/hooks": "add_hook",
    "PATCH /repos/{owner}/{repo}/hooks/{hook_id}": "set_hook",
    "DELETE /repos/{owner}/{repo}/hooks/{hook_id}": "remove_hook",
    "POST /repos/{owner}/{repo}/statuses/{sha}": "add_status",
}


@cache
def _description(kind: str) -> Description:
    return Description(OPENAPI.file(f"generated/{kind}.json"))


@contextmanager
def running_github(kind: str = GITHUB) -> Iterator[GitHubServer]:
    """Run a GitHub without repositories."""
    prefix = "" if kind == GITHUB else "/api/v3"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    description = _description(kind)
    github = GitHubServer(f"http://127.0.0.1:{server.server_port}{prefix}", prefix, description)
    server.github = github  # type: ignore[attr-defined]  # for the handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        github: GitHubServer = self.server.github  # type: ignore[attr-defined]  # set above
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        if parts.path.startswith("/login/"):
            status, answer, more = github.logins.take(f"http://{self.headers['Host']}", parts.path, headers, body)
        else:
            path = parts.path.removeprefix(github.prefix)
            status, answer, more = github.take(Request(self.command, path, parts.query, headers, body))
        if status is None:
            self.close_connection = True
            return
        text = b"" if answer is None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        if answer is not None:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  the base class's names

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


def _message(text: str) -> Json:
    return {"message": text, "documentation_url": "https://docs.github.com/rest"}


def _invalid(resource: str, name: str, text: str) -> Json:
    return {
        "message": "Validation Failed",
        "errors": [{"resource": resource, "code": "custom", "field": name, "message": text}],
        "documentation_url": "https://docs.github.com/rest",
    }


def _shown(hook: Json) -> Json:
    return hook | {"config": hook["config"] | {"secret": "********"}}
