"""Keys of other CI tools, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping

_SAME_AS: Mapping[str, str] = {
    "img": "image container docker runs-on runs_on executor",
    "run": "script scripts command commands cmd args exec",
    "after": "needs depends_on dependsOn depends-on requires depends dependencies upstream passed",
    "env": "environment environments variables vars env_vars envs params",
    "vol": "volume volumes mount mounts binds",
    "dir": "working_dir workdir working-directory workingDirectory workingDir cwd",
    "build": "dockerfile context",
    "triggers": "trigger",
    "neverFail": (
        "allow_failure allowFailure continue-on-error continue_on_error continueOn ignore_errors soft_fail failure try"
    ),
    "noLog": "no_log nolog silent",
    "timeout": "timeout-minutes timeout_in_minutes timeoutInMinutes activeDeadlineSeconds no_output_timeout",
    "retries": "retry retry_count retryStrategy retry_strategy",
    "stopGrace": "stop_grace_period terminationGracePeriodSeconds stop_timeout kill_timeout",
    "cpus": "cpu cores",
    "memory": "mem mem_limit ram",
    "network": "network_mode networks",
    "pull": "pull_policy imagePullPolicy",
    "platform": "arch architecture",
    "junit": "reports test_reports test_results store_test_results",
    "sudo": "allowPrivilegeEscalation allow_privilege_escalation",
}

_HINTS: Mapping[str, str] = {
    **{word: f"here it is called `{key}`" for key, words in _SAME_AS.items() for word in words.split()},
    **dict.fromkeys(
        ("needs", "depends_on", "dependsOn", "depends-on", "requires", "depends", "dependencies", "passed"),
        "here it is called `after`; `env: STAGE` gives what that stage printed, `vol: STAGE` its files",
    ),
    **dict.fromkeys(("dockerfile", "context"), "write `build: {context: …, dockerfile: …}`"),
    **dict.fromkeys(
        ("before_script", "steps", "tasks", "plan", "in_parallel", "do"),
        "write all commands in `run`; a list of commands is one script",
    ),
    **dict.fromkeys(
        ("rules", "only", "except", "filters", "branches", "branch", "tag", "event", "status", "ref"),
        "conditions belong to `when: {branch, tag, event, changed, status}`; `if: STAGE` asks another stage",
    ),
    **dict.fromkeys(
        ("changes", "paths"),
        "`when: {changed: …}` is a condition; `triggers` lists globs of files for which a push runs it",
    ),
    **dict.fromkeys(
        ("after_script", "ensure", "finally", "onExit", "on_exit", "post", "always"),
        "write a stage with `when: always` that comes `after` this one; in the same container, write `trap '…' EXIT` in `run`",
    ),
    **dict.fromkeys(
        ("on_failure", "on_fail", "on_error", "onFailure"), "write a stage with `when: failure` that comes `after` this one"
    ),
    **dict.fromkeys(("on_success", "onSuccess"), "write a stage that comes `after` this one"),
    **dict.fromkeys(
        ("on_abort", "on_cancel"),
        "write a stage with `when: always` that comes `after` this one; there, `$DOCKERCISE_STATUS` is `cancelled`",
    ),
    **dict.fromkeys(("attempts", "max_attempts"), "here it is called `retries`, and does not count the first attempt"),
    **dict.fromkeys(
        ("resource_group", "interruptible", "serial", "serial_groups", "max_in_flight", "synchronization"),
        "`meta: {concurrency: …}` says how many runs go on at once",
    ),
    **dict.fromkeys(
        ("strategy", "parallel", "parallelism", "across", "withItems", "withParam", "foreach"),
        "`matrix` runs a stage once for each combination of values: `matrix: {python: [3.11, 3.12]}`",
    ),
    **dict.fromkeys(
        ("caches", "restore_cache", "save_cache"),
        "a volume of the engine keeps files from run to run: `vol: cache:/root/.cache`",
    ),
    **dict.fromkeys(("uses", "task", "get", "put"), "write in `run` what it does, and in `img` the image that it needs"),
    **dict.fromkeys(("schedule", "cron"), "`register --cron` starts runs at a time; `when: {event: schedule}` is a condition"),
    **dict.fromkeys(
        ("persist_to_workspace", "attach_workspace", "store_artifacts"),
        "what a stage leaves in `$OUT` is kept, and `vol: STAGE` gives it to another stage",
    ),
    "resource_class": "write `cpus: …` and `memory: …`",
    **dict.fromkeys(("name", "stage", "id"), "the key of a stage is its name"),
    **dict.fromkeys(("description", "label", "comment"), "write it as a comment, `# …`"),
    **dict.fromkeys(("extends", "template", "inherit"), "use an anchor, `<<: *name`, or `meta.defaults`"),
    "<<": "write `<<` without quotes: in quotes it is an ordinary key and merges nothing",
    "tags": "only a pipeline has tags: `meta: {tags: …}`",
    "checkout": "`vol: code` mounts the code, `on: code` works in a copy of it",
    "ports": "ports are not published: a stage reaches every port of its services by their names, as in `db:5432`",
    "outputs": "what a stage prints is its value (`env: STAGE`), and what it leaves in `$OUT` are its files (`vol: STAGE`)",
    "privileged": "privileged stages are not supported",
    **dict.fromkeys(
        ("security_opt", "securityContext"), "`sudo: true` lets programs such as `sudo` get rights that the user does not have"
    ),
}

_TOP_LEVEL: Mapping[str, str] = {
    **dict.fromkeys(
        ("variables", "env", "environment", "vars"),
        "variables for all stages belong to `meta: {env: …}`; if a key only contains anchors, begin its name with `x-`",
    ),
    **dict.fromkeys(("name", "title"), "the pipeline's name belongs to `meta: {name: …}`"),
    **dict.fromkeys(("tags", "labels"), "tags belong to `meta: {tags: …}`"),
    **dict.fromkeys(("image", "img"), "the image of all stages belongs to `meta: {defaults: {img: …}}`"),
    **dict.fromkeys(("default", "defaults"), "defaults of all stages belong to `meta: {defaults: …}`"),
    **dict.fromkeys(
        ("timeout", "network", "pull", "platform", "user", "dir", "cpus", "memory"),
        "defaults of all stages belong to `meta: {defaults: …}`",
    ),
    **dict.fromkeys(
        ("stages", "jobs", "steps", "tasks", "services", "pipeline", "workflow", "workflows"),
        "stages cannot be grouped: write each stage as a key in the first column",
    ),
    **dict.fromkeys(("include", "import", "imports", "extends"), "all `*.dockercise.yaml` below the root are read together"),
    **dict.fromkeys(
        ("on", "trigger", "triggers", "branches"),
        "`triggers` belongs to a stage, and so do conditions: `when: {branch, tag, event, changed}`",
    ),
    "when": "conditions of all stages belong to `meta: {defaults: {when: …}}`",
    "concurrency": "it belongs to `meta: {concurrency: …}`",
    **dict.fromkeys(
        ("before_script", "after_script"),
        "write it in stages; one with `when: always` runs whatever came of the others",
    ),
    **dict.fromkeys(("clone", "checkout"), "`vol: code` mounts the code; `meta: {code: {git: true}}` makes it a git checkout"),
    **dict.fromkeys(("schedule", "schedules", "cron"), "`dockercise register --cron` starts runs at a time"),
    **dict.fromkeys(("retry", "retries"), "retries of all stages belong to `meta: {defaults: {retries: …}}`"),
    **dict.fromkeys(
        ("anchors", "templates", "definitions", "common"), "if a key only contains anchors, begin its name with `x-`"
    ),
    "version": "remove it: the language has no versions",
    "secrets": "names of secret variables belong to `meta: {secrets: …}`",
    "lint": "lint rules belong to `meta: {lint: …}`",
}

MEANS_AN_IMAGE = frozenset(_SAME_AS["img"].split()) | {"dockerfile", "context", "<<"}
"""Keys of a stage that has an image, but not under Dockercise's key for it."""


def hint_for_key(word: str) -> str | None:
    """What to write instead of a stage's key; None if no other program is known to have the key."""
    return _HINTS.get(word)


def hint_for_top_level(word: str) -> str | None:
    """What to do with a key in the first column that is not a stage; None if no other program is known to have the key."""
    return _TOP_LEVEL.get(word)
