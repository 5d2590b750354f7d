"""Payloads of all hosts, read as pushes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.delivery import MalformedError, read_delivery
from dockercise_prefect.webhook.payload.event import Event, other_event
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.payload.push import MOST_COMMITS, MOST_PATHS, NoPush, Push
from dockercise_prefect.webhook.payload.reading import event_of
from tests.webhook.payloads import (
    BEFORE,
    ZEROS,
    Sent,
    gitea_push,
    gitea_sent,
    github_events,
    github_examples,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
)


def read(sent: Sent) -> Event | NoPush:
    delivery = read_delivery(sent.headers, sent.body)
    return other_event(delivery) or event_of(delivery)


def push_of(sent: Sent) -> Push:
    push = read(sent)
    assert isinstance(push, Push)
    return push


def test_a_push_to_github() -> None:
    """GitHub's payload has everything: repository, branch, commits, files and sender."""
    payload = github_push("Acme/Infra", after="a" * 40, changed=["b", "a"])
    payload["commits"].append({"id": "c" * 40, "added": ["new"], "modified": ["a"], "removed": ["old"]})

    push = push_of(github_sent(payload))

    assert push == Push(
        kind=HostKind.GITHUB,
        repository="Acme/Infra",
        addresses=("github.com/acme/infra",),
        branch="main",
        before=BEFORE,
        after="a" * 40,
        forced=False,
        changed=("a", "b", "new", "old"),
        sender="Codertocat",
    )


def test_a_push_to_gitea() -> None:
    """Gitea's payload does not show whether history was rewritten, so its list of files does not count as complete."""
    push = push_of(gitea_sent(gitea_push("acme/infra")))

    assert (push.kind, push.repository, push.branch, push.sender) == (
        HostKind.GITEA,
        "acme/infra",
        "main",
        "gitea",
    )
    assert push.addresses == ("git.example.org/acme/infra", "git.example.org:2222/acme/infra")
    assert push.changed is None


def test_a_push_to_gitlab() -> None:
    """GitLab's payload has other names for the same fields; the path of a repository may have more than two parts."""
    push = push_of(gitlab_sent(gitlab_push("acme/tools/infra")))

    assert (push.kind, push.repository, push.sender) == (
        HostKind.GITLAB,
        "acme/tools/infra",
        "jsmith",
    )
    assert push.addresses == ("gitlab.com/acme/tools/infra",)
    assert push.changed is None


def test_a_host_below_a_path() -> None:
    """If the pages of a host are below a path of another site, the host and its repositories have that path too."""
    push = push_of(gitlab_sent(gitlab_push("acme/infra", site="https://example.org/gitlab")))

    assert "example.org/gitlab/acme/infra" in push.addresses


def test_a_branch_name_with_slashes() -> None:
    """A branch is everything after `refs/heads/`, with all slashes."""
    assert push_of(github_sent(github_push(branch="feature/one/two"))).branch == "feature/one/two"


@pytest.mark.parametrize(
    "payload",
    [
        github_push(before=ZEROS),
        github_push(forced=True),
        github_push(commits=[]),
        github_push(changed=[f"file-{number}" for number in range(MOST_PATHS + 1)]),
        github_push(changed=["half \ud800 a pair"]),
        github_push(commits=[{"added": [], "modified": ["a"], "removed": []}] * MOST_COMMITS),
    ],
    ids=["new branch", "rewritten", "no commits", "many files", "no text", "many commits"],
)
def test_when_the_payload_does_not_say_all(payload: dict[str, Any]) -> None:
    """If a payload may leave files out, its list of files does not count as complete."""
    assert push_of(github_sent(payload)).changed is None


TAGGED = {"ref": "refs/tags/release/v1.2", "after": "a" * 40}


@pytest.mark.parametrize(
    "sent",
    [
        github_sent(github_push() | TAGGED | {"head_commit": {"id": "c" * 40}, "commits": []}),
        gitea_sent(gitea_push() | TAGGED | {"head_commit": {"id": "c" * 40}}),
        gitlab_sent(gitlab_push() | TAGGED | {"checkout_sha": "c" * 40}, event="Tag Push Hook"),
    ],
    ids=["github", "gitea", "gitlab"],
)
def test_a_tag(sent: Sent) -> None:
    """All hosts send tags as pushes of `refs/tags/…`. The commit counts, even if `after` is the object of an annotated tag."""
    push = push_of(sent)

    assert (push.tag, push.branch, push.name) == ("release/v1.2", "", "refs/tags/release/v1.2")
    assert (push.before, push.after, push.changed) == (None, "c" * 40, None)


def test_a_tag_without_its_commit() -> None:
    """If the payload names no commit of the tag, its own object counts, whose commit git can find."""
    push = push_of(github_sent(github_push() | TAGGED | {"head_commit": None}))

    assert push.after == "a" * 40


def test_a_push_that_an_earlier_version_stored() -> None:
    """A stored push without a tag is one to a branch."""
    push = push_of(github_sent(github_push()))
    stored = {name: value for name, value in json.loads(push.to_json()).items() if name != "tag"}

    assert Push.from_json(json.dumps(stored)) == push


def test_a_new_branch() -> None:
    """A branch that did not exist before has no earlier commit."""
    push = push_of(github_sent(github_push(before=ZEROS)))

    assert push.created
    assert push.before is None


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (github_sent(github_push(after=ZEROS)), "the branch `main` was deleted: nothing to run"),
        (github_sent(github_push(ref="refs/tags/v1", after=ZEROS)), "the tag `v1` was deleted: nothing to run"),
        (gitlab_sent(gitlab_push() | {"ref": "refs/tags/v", "after": ZEROS}, event="Tag Push Hook"), "the tag `v` was deleted"),
        (github_sent(github_push(ref="refs/heads/")), "`refs/heads/` is not a branch or tag"),
        (github_sent(github_push(ref="refs/notes/commits")), "`refs/notes/commits` is not a branch or tag"),
        (github_sent(github_examples("ping")[0], event="ping"), "pong"),
        (github_sent(github_push(), event="issues"), "the event `issues`"),
        (gitlab_sent(gitlab_push(), event="Note Hook"), "the event `Note Hook`"),
        (github_sent(github_push(), event="\x1b[31m" + "x" * 100), "the event `?[31mxxx"),
    ],
)
def test_what_starts_nothing(sent: Sent, reason: str) -> None:
    """Deleted branches and tags, other refs and other events are not pushes, and the reason names the case."""
    found = read(sent)

    assert isinstance(found, NoPush)
    assert found.reason.startswith(reason)
    assert found.reason.isprintable()


_OF_PULL_REQUESTS = {"opened", "reopened", "synchronize", "closed"}


@pytest.mark.parametrize("event", github_events())
def test_all_of_githubs_examples(event: str) -> None:
    """Each payload that GitHub publishes is a push, a pull request or another event."""
    for example in github_examples(event):
        sent = github_sent(example, event=event)
        found = read(sent)

        assert isinstance(found, Push) is (event == "push" and not example["deleted"])
        assert isinstance(found, PullRequest) is (event == "pull_request" and example["action"] in _OF_PULL_REQUESTS)


def without(payload: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = payload
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return payload


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (github_sent(without(github_push(), "ref")), "the payload lacks `ref`"),
        (github_sent(without(github_push(), "after")), "the payload lacks `after`"),
        (github_sent(without(github_push(), "before")), "the payload lacks `before`"),
        (github_sent(without(github_push(), "commits")), "the payload lacks `commits`"),
        (github_sent(without(github_push(), "repository", "full_name")), "the payload lacks `repository.full_name`"),
        (
            github_sent(github_push() | {"repository": {"full_name": "a/b"}}),
            "lacks an address of the repository: `repository.clone_url`",
        ),
        (gitlab_sent(gitlab_push() | {"project": {"id": 1}}), "lacks an address of the repository: `project.git_http_url`"),
        (github_sent(github_push() | {"repository": []}), "`repository` in the payload is not an object"),
        (github_sent(github_push(sender="me")), "`sender` in the payload is not an object"),
        (github_sent(github_push(after="--upload-pack=x")), "`after` in the payload is not a commit"),
        (github_sent(github_push(after="A" * 40)), "`after` in the payload is not a commit"),
        (github_sent(github_push(ref=["refs/heads/main"])), "`ref` in the payload is not a string"),
        (github_sent(github_push(ref="refs/heads/\ud800")), "`ref` in the payload is not a string"),
        (github_sent(github_push(ref="refs/heads/a\0b")), "`ref` in the payload is not a string"),
        (github_sent(github_push(ref="refs/heads/" + "x" * 5000)), "`ref` in the payload is not a string"),
        (github_sent(github_push(commits={})), "`commits` in the payload is not a list"),
        (github_sent(github_push(commits=[1])), "contains something that is not a commit"),
        (
            github_sent(github_push(commits=[{"added": [1], "modified": [], "removed": []}])),
            "lists something that is not a path",
        ),
        (github_sent(github_push(commits=[{"added": []}])), "the payload lacks `commits[].modified`"),
    ],
)
def test_what_a_push_must_have(sent: Sent, message: str) -> None:
    """A field that is missing or has the wrong type is named."""
    with pytest.raises(MalformedError) as raised:
        read(sent)

    assert message in raised.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
SENDERS: list[Callable[[Any], Sent]] = [github_sent, gitea_sent, gitlab_sent]
FIELDS = sorted({*github_push(), *gitlab_push(), *github_push()["repository"], *gitlab_push()["project"]})


@given(payload=st.dictionaries(st.sampled_from(FIELDS), JSON), data=st.data())
def test_any_json(payload: dict[str, Any], data: st.DataObject) -> None:
    """Any JSON, also in the fields of a real push, gives a push that can be kept, no push, or an error with the reason."""
    whole = data.draw(st.sampled_from([payload, github_push() | payload, gitlab_push() | payload, gitea_push() | payload]))
    repository = data.draw(st.sampled_from([None, github_push()["repository"] | payload]))
    if repository is not None:
        whole = whole | {"repository": repository}
    sent = data.draw(st.sampled_from(SENDERS))(whole)

    try:
        found = read(sent)
    except MalformedError:
        return

    if isinstance(found, Push):
        assert json.dumps(asdict(found)).encode()
        assert "".join([found.branch, found.repository, found.sender, *(found.changed or ())]).encode()
