"""The variables that other systems set in each job, and what is here in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_USE = re.compile(r"(?<!\\)\$(?:(\w+)|\{([#!]?)(\w+)([^}]*)\})", re.ASCII)
"""A variable in a script or a text."""

COMMIT, BRANCH, TAG, EVENT = "DOCKERCISE_COMMIT", "DOCKERCISE_BRANCH", "DOCKERCISE_TAG", "DOCKERCISE_EVENT"
REPOSITORY, PREVIOUS = "DOCKERCISE_REPOSITORY", "DOCKERCISE_PREVIOUS"
AUTHOR, MESSAGE, STATUS, FAILED = "DOCKERCISE_AUTHOR", "DOCKERCISE_MESSAGE", "DOCKERCISE_STATUS", "DOCKERCISE_FAILED"
RUN = "DOCKERCISE_RUN_ID"

_BRANCH_OR_TAG = '"${DOCKERCISE_BRANCH:-$DOCKERCISE_TAG}"'
_SHORT = '"$(printf %.8s "$DOCKERCISE_COMMIT")"'
_SLUG = '"$(printf %.63s "${DOCKERCISE_BRANCH:-$DOCKERCISE_TAG}" | tr A-Z a-z | tr -c a-z0-9 -)"'
_PATH = '"${DOCKERCISE_REPOSITORY#*://*/}"'


@dataclass(frozen=True, slots=True)
class Predefined:
    """What a system sets in each job.

    Attributes:
        prefixes: what names of such variables begin with.
        renamed: variables that exist here under another name.
        computed: variables that a shell can compute, each with the value in a script.
    """

    prefixes: tuple[str, ...]
    renamed: Mapping[str, str]
    computed: Mapping[str, str]

    def translated(self, script: str) -> str:
        """A script with the names that variables have here."""
        return _USE.sub(self._translated, script)

    def _translated(self, match: re.Match[str]) -> str:
        new = self.renamed.get(match[1] or match[3])
        if new is None:
            return match[0]
        return f"${new}" if match[1] else f"${{{match[2]}{new}{match[4]}}}"

    def is_predefined(self, name: str) -> bool:
        """Whether the system sets the variable in each job."""
        return name.startswith(self.prefixes) and name != "CI"


def used_in(text: str) -> list[str]:
    """The variables that a text names, in order."""
    return list(dict.fromkeys(match[1] or match[3] for match in _USE.finditer(text) if not (match[1] or match[3])[0].isdigit()))


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """A text with the values of the variables that are known."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        return values[name] if name in values and not match[2] and not match[4] else match[0]

    return _USE.sub(value, text)


WOODPECKER = Predefined(
    ("CI_", "DRONE_"),
    {
        "CI_COMMIT_SHA": COMMIT,
        "CI_COMMIT_BRANCH": BRANCH,
        "CI_COMMIT_TAG": TAG,
        "CI_PIPELINE_EVENT": EVENT,
        "CI_BUILD_EVENT": EVENT,
        "CI_REPO_CLONE_URL": REPOSITORY,
        "CI_REPO_URL": REPOSITORY,
        "CI_PREV_COMMIT_SHA": PREVIOUS,
        "CI_COMMIT_AUTHOR": AUTHOR,
        "CI_COMMIT_MESSAGE": MESSAGE,
        "CI_PIPELINE_STATUS": STATUS,
        "CI_PIPELINE_NUMBER": RUN,
        "CI_BUILD_NUMBER": RUN,
        "CI_WORKSPACE": "OUT",
    },
    {
        "CI_COMMIT_REF": '"refs/${DOCKERCISE_TAG:+tags/$DOCKERCISE_TAG}${DOCKERCISE_BRANCH:+heads/$DOCKERCISE_BRANCH}"',
        "CI_REPO": _PATH,
        "CI_REPO_NAME": '"${DOCKERCISE_REPOSITORY##*/}"',
    },
)

DRONE = Predefined(
    ("DRONE_", "CI_"),
    {
        "DRONE_COMMIT": COMMIT,
        "DRONE_COMMIT_SHA": COMMIT,
        "DRONE_COMMIT_AFTER": COMMIT,
        "DRONE_BRANCH": BRANCH,
        "DRONE_COMMIT_BRANCH": BRANCH,
        "DRONE_SOURCE_BRANCH": BRANCH,
        "DRONE_TAG": TAG,
        "DRONE_BUILD_EVENT": EVENT,
        "DRONE_GIT_HTTP_URL": REPOSITORY,
        "DRONE_REMOTE_URL": REPOSITORY,
        "DRONE_REPO_LINK": REPOSITORY,
        "DRONE_COMMIT_BEFORE": PREVIOUS,
        "DRONE_COMMIT_AUTHOR": AUTHOR,
        "DRONE_COMMIT_AUTHOR_NAME": AUTHOR,
        "DRONE_COMMIT_MESSAGE": MESSAGE,
        "DRONE_BUILD_STATUS": STATUS,
        "DRONE_FAILED_STEPS": FAILED,
        "DRONE_BUILD_NUMBER": RUN,
        "DRONE_WORKSPACE": "OUT",
        "CI_WORKSPACE": "OUT",
    },
    {
        "DRONE_COMMIT_REF": '"refs/${DOCKERCISE_TAG:+tags/$DOCKERCISE_TAG}${DOCKERCISE_BRANCH:+heads/$DOCKERCISE_BRANCH}"',
        "DRONE_REPO": _PATH,
        "DRONE_REPO_NAME": '"${DOCKERCISE_REPOSITORY##*/}"',
        "DRONE_SEMVER": '"${DOCKERCISE_TAG#v}"',
    },
)

GITLAB = Predefined(
    ("CI_", "GITLAB_"),
    {
        "CI_COMMIT_SHA": COMMIT,
        "CI_COMMIT_BRANCH": BRANCH,
        "CI_COMMIT_TAG": TAG,
        "CI_PIPELINE_SOURCE": EVENT,
        "CI_REPOSITORY_URL": REPOSITORY,
        "CI_PROJECT_URL": REPOSITORY,
        "CI_COMMIT_BEFORE_SHA": PREVIOUS,
        "CI_COMMIT_AUTHOR": AUTHOR,
        "CI_COMMIT_MESSAGE": MESSAGE,
        "CI_JOB_STATUS": STATUS,
        "CI_PIPELINE_ID": RUN,
        "CI_PIPELINE_IID": RUN,
        "CI_JOB_ID": RUN,
        "CI_BUILD_ID": RUN,
        "CI_BUILD_REF": COMMIT,
        "CI_BUILD_TAG": TAG,
        "CI_PROJECT_DIR": "OUT",
        "CI_JOB_NAME": "DOCKERCISE_STAGE",
    },
    {
        "CI_COMMIT_REF_NAME": _BRANCH_OR_TAG,
        "CI_BUILD_REF_NAME": _BRANCH_OR_TAG,
        "CI_COMMIT_REF_SLUG": _SLUG,
        "CI_BUILD_REF_SLUG": _SLUG,
        "CI_COMMIT_SHORT_SHA": _SHORT,
        "CI_PROJECT_PATH": _PATH,
        "CI_PROJECT_NAMESPACE": '"$(dirname "${DOCKERCISE_REPOSITORY#*://*/}")"',
        "CI_PROJECT_ROOT_NAMESPACE": '"$(dirname "${DOCKERCISE_REPOSITORY#*://*/}")"',
        "CI_PROJECT_NAME": '"$(basename "$DOCKERCISE_REPOSITORY" .git)"',
    },
)

CIRCLECI = Predefined(
    ("CIRCLE_",),
    {
        "CIRCLE_SHA1": COMMIT,
        "CIRCLE_BRANCH": BRANCH,
        "CIRCLE_TAG": TAG,
        "CIRCLE_REPOSITORY_URL": REPOSITORY,
        "CIRCLE_WORKFLOW_ID": RUN,
        "CIRCLE_BUILD_NUM": RUN,
        "CIRCLE_JOB": "DOCKERCISE_STAGE",
        "CIRCLE_WORKING_DIRECTORY": "OUT",
    },
    {
        "CIRCLE_PROJECT_REPONAME": '"$(basename "$DOCKERCISE_REPOSITORY" .git)"',
    },
)

GITHUB = Predefined(
    ("GITHUB_", "RUNNER_", "ACTIONS_"),
    {
        "GITHUB_SHA": COMMIT,
        "GITHUB_EVENT_NAME": EVENT,
        "GITHUB_RUN_ID": RUN,
        "GITHUB_RUN_NUMBER": RUN,
        "GITHUB_WORKSPACE": "OUT",
        "GITHUB_JOB": "DOCKERCISE_STAGE",
    },
    {
        "GITHUB_REF_NAME": _BRANCH_OR_TAG,
        "GITHUB_REF": '"refs/${DOCKERCISE_TAG:+tags/$DOCKERCISE_TAG}${DOCKERCISE_BRANCH:+heads/$DOCKERCISE_BRANCH}"',
        "GITHUB_REPOSITORY": _PATH,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_ACTOR": '"${DOCKERCISE_AUTHOR%% <*}"',
        "RUNNER_TEMP": '"$(mktemp -d)"',
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64",
        "GITHUB_OUTPUT": '"$(mktemp)"',
        "GITHUB_ENV": '"$(mktemp)"',
        "GITHUB_PATH": '"$(mktemp)"',
        "GITHUB_STEP_SUMMARY": '"$(mktemp)"',
    },
)
