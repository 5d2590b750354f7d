"""Words with which other CI tools write conditions, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TEXT_OF_A_CONDITION = re.compile(r"[\s$(){}=!<>&|]|(?:always|failure|success|manual|never)\Z")
"""What no name of a stage in `if` has, but a condition of another tool may have."""

_STATUSES: Mapping[str, str] = {
    **dict.fromkeys(("on_success", "onSuccess", "Succeeded", "passed"), "here it is called `success`, the default"),
    **dict.fromkeys(("on_failure", "on_fail", "onFailure", "failed", "Failed"), "here it is called `failure`"),
    **dict.fromkeys(("finally", "ensure", "completed", "Completed", "done"), "here it is called `always`"),
    "manual": "`approve: …` lets the run wait until somebody agrees; `when: {event: manual}` runs it only in runs by hand",
    "never": "remove the stage; `!x` in a list of `when: {branch: …}` excludes what an earlier pattern matched",
    "delayed": "`register --cron` starts runs at a time; `retries: {times, delay}` waits before it tries again",
    **dict.fromkeys(
        ("push", "tag", "pull_request", "schedule", "cron", "merge_request"), "this is an event: `when: {event: …}`"
    ),
}

_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("branches", "branches-ignore"), "here it is called `branch`; `!x` excludes what matched before"),
    **dict.fromkeys(("tags", "tags-ignore"), "here it is called `tag`; `!x` excludes what matched before"),
    **dict.fromkeys(("ref", "refs"), "here it is `branch` or `tag`, without `refs/heads/` and `refs/tags/`"),
    **dict.fromkeys(("path", "paths", "changes", "files"), "here it is called `changed`: globs of files"),
    **dict.fromkeys(("events", "on"), "here it is called `event`"),
    **dict.fromkeys(
        ("only", "include"), "write the patterns themselves: `branch: [main, 'release/*']`, in which `!x` excludes"
    ),
    **dict.fromkeys(("except", "exclude", "ignore"), "write `!x` in the list, after a pattern that matches: `['*', '!x']`"),
    **dict.fromkeys(("cron", "schedule"), "write `event: schedule`; `register --cron` says when"),
    **dict.fromkeys(
        ("if", "expression", "evaluate", "variables"),
        "a stage that ends with exit code 0 or another one says yes or no, and `if: STAGE` or `unless: STAGE` asks it",
    ),
}

_EVENTS: Mapping[str, str] = {
    **dict.fromkeys(("cron", "scheduled"), "here it is called `schedule`"),
    **dict.fromkeys(("merge_request", "merge_request_event", "pull-request"), "here it is called `pull_request`"),
    **dict.fromkeys(("web", "api", "custom", "workflow_dispatch", "promote"), "here it is called `manual`"),
    **dict.fromkeys(("release", "tags"), "here it is called `tag`"),
}


def hint_for_status(word: str) -> str | None:
    """What to write instead of a word as the status of `when`; None if no other tool is known to have the word."""
    return _STATUSES.get(word)


def hint_for_condition(key: str) -> str | None:
    """What to write instead of a key of `when`; None if no other tool is known to have the key."""
    return _KEYS.get(key)


def hint_for_event(word: str) -> str | None:
    """What to write instead of a word as an event; None if no other tool is known to have the word."""
    return _EVENTS.get(word)


def hint_for_question(written: str) -> str | None:
    """What to do with the condition of another tool in `if` or `unless`; None if it may be the name of a stage."""
    if not _TEXT_OF_A_CONDITION.search(written):
        return None
    return "here it is the name of a stage, whose exit code is the answer; for branch, tag, event and outcome there is `when`"
