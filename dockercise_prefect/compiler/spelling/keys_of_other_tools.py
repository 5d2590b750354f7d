"""Keys of other CI tools, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping

_SAME_AS: Mapping[str, str] = {
    "img": "image container docker",
    "run": "script scripts command commands cmd args exec",
    "after": "needs depends_on dependsOn depends-on requires dependencies upstream",
    "env": "environment environments variables vars env_vars envs",
    "vol": "volume volumes mount mounts binds",
    "dir": "working_dir workdir working-directory workingDirectory workingDir cwd",
    "build": "dockerfile context",
    "triggers": "trigger only changes paths",
    "neverFail": "allow_failure allowFailure continue-on-error continue_on_error ignore_errors soft_fail",
    "noLog": "no_log nolog silent",
    "timeout": "timeout-minutes timeout_in_minutes timeoutInMinutes",
    "cpus": "cpu cores",
    "memory": "mem mem_limit ram",
    "network": "network_mode networks",
    "pull": "pull_policy imagePullPolicy",
    "platform": "arch architecture",
    "sudo": "allowPrivilegeEscalation allow_privilege_escalation",
}

_HINTS: Mapping[str, str] = {
    **{word: f"here it is called `{key}`" for key, words in _SAME_AS.items() for word in words.split()},
    **dict.fromkeys(
        ("needs", "depends_on", "dependsOn", "depends-on", "requires", "dependencies"),
        "here it is called `after`; `env: STAGE` gives what that stage printed, `vol: STAGE` its files",
    ),
    **dict.fromkeys(("dockerfile", "context"), "write `build: {context: …, dockerfile: …}`"),
    **dict.fromkeys(
        ("before_script", "after_script", "steps", "tasks"),
        "write all commands in `run`; a list of commands is one script",
    ),
    **dict.fromkeys(("rules", "except", "filters", "branches"), "`triggers` lists globs of changed files"),
    **dict.fromkeys(("name", "stage", "id"), "the key of a stage is its name"),
    **dict.fromkeys(("description", "label", "comment"), "write it as a comment, `# …`"),
    **dict.fromkeys(("extends", "template", "inherit"), "use an anchor, `<<: *name`, or `meta.defaults`"),
    "<<": "write `<<` without quotes: in quotes it is an ordinary key and merges nothing",
    "tags": "only a pipeline has tags: `meta: {tags: …}`",
    "checkout": "`vol: code` mounts the code, `on: code` works in a copy of it",
    "ports": "ports are not published; a script can reach the services that it starts at 127.0.0.1",
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
        "`triggers` belongs to a stage; you choose branches when you register a repository",
    ),
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
