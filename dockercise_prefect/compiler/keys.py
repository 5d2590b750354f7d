"""The keys of the language, and the keys that are planned for later (LANGUAGE sections 1 and 2).

The parser and the JSON schema (`schema`) read the same tables. Each key is one line here, with the text that editors show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dockercise_prefect.compiler.reading import (
    builds,
    caching,
    each,
    entrypoint,
    gates,
    gpus,
    lifecycle,
    matrices,
    mounts,
    names,
    parameters,
    reports,
    scripts,
    secret_files,
    secrets,
    services,
    switches,
    values,
    variables,
)
from dockercise_prefect.compiler.reading.shapes import ANY, Described, Key, Schema, mapping_of, one_or_many, or_expanded, scalar
from dockercise_prefect.compiler.reading.values import Field, Reader
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Node, is_null
from dockercise_prefect.pipeline import IMAGE_SOURCE, Network, PullPolicy


@dataclass(frozen=True, slots=True)
class Setting:
    """A simple key. It sets an attribute of `Stage` to the value that the reader returns."""

    attribute: str
    read: Reader[Any]
    meaning: str

    @property
    def schema(self) -> Schema:
        """What the reader accepts, in addition to null."""
        return self.read.schema


SETTINGS: Mapping[str, Setting] = {
    "dir": Setting("working_dir", values.absolute_path, "The working directory; by default `/<stage>` with `on`, else `/`."),
    "noLog": Setting("no_log", values.boolean, "The output is sensitive: never shown and never kept. Other stages can use it."),
    "neverFail": Setting("never_fail", values.boolean, "Any exit code counts as success and is shown as tolerated."),
    "timeout": Setting("timeout", values.duration, "`90s`, `5m`, `1h30m`; after this time, the container is stopped."),
    "triggers": Setting("triggers", values.globs, "Globs: if a push changes a matching file, it runs this stage."),
    "user": Setting("user", values.word, "As in `docker run`: a name, `1000` or `1000:100`."),
    "network": Setting("network", values.one_of(Network), "By default `bridge`: its own network namespace."),
    "pull": Setting("pull", values.one_of(PullPolicy), "When to pull the image; by default when it is `missing`."),
    "platform": Setting("platform", values.word, "As in `docker run`: `linux/arm64`."),
    "cpus": Setting("cpus", values.processors, "How many processors, at least 0.01."),
    "memory": Setting("memory", values.size, "`512m`, `2g`; at least `6m`."),
    "gpus": Setting("gpus", gpus.gpus, "As in `docker run`: `all`, how many, or `device=0,2`."),
    "retries": Setting("retries", lifecycle.retries, "Run it again if it fails: a number, or `{times, delay, backoff, on}`."),
    "stopGrace": Setting("stop_grace", lifecycle.grace, "The time between SIGTERM and SIGKILL; by default `10s`."),
    "when": Setting("when", lifecycle.when, "`success`, `failure` or `always`; or a mapping of conditions that must all hold."),
    "shell": Setting("shell", lifecycle.shell, "What runs the script instead of `/bin/sh`: `bash`, `[bash, -eo, pipefail]`."),
    "cache": Setting(
        "cache", caching.cache, "`true`, `7d`, or `{for, salt, also}`: spared while nothing it is made from has changed."
    ),
    "entrypoint": Setting(
        "entrypoint",
        entrypoint.entrypoint,
        "The program that gets the words of `run`; `true` for the image's own.",
    ),
    "junit": Setting("junit", reports.reports, "Globs below `$OUT`: test reports, whose tests are shown and kept."),
    "sudo": Setting("sudo", values.boolean, "Programs such as `sudo` may get rights that the stage's user does not have."),
}
"""Keys that can be inherited, and how they are read."""

IMG = Key(
    scalar(rf"{IMAGE_SOURCE}|{names.NAME_SOURCE}", "write a stage, or name, name:tag or registry/name:tag"),
    "An image, or a stage whose image is used. `null` removes a default.",
)
"""A key that can be inherited but is not a setting: its value alone does not show whether it is the name of a stage."""

BUILD = Key(
    builds.SCHEMA, "Build the image from a Dockerfile, in a folder of the code or below a stage's volume (`/stage/app`)."
)
"""A key that can be inherited but is not a setting: a stage has either an image or a build."""

OWN: Mapping[str, Key] = {
    "run": Key(
        scripts.script.schema, "A shell script, run by `/bin/sh` under `set -e`. The items of a list are joined by newlines."
    ),
    "env": Key(variables.SCHEMA, "Variables: a stage's value, `NAME` or `NAME?` from outside, `NAME=text`; or a mapping."),
    "vol": Key(
        mounts.SCHEMA,
        "Mounts: `STAGE`, `STAGE:/path`, `code`, `code/folder`, `/host/path:/path`, `./folder:/path`, `volume:/path`.",
    ),
    "on": Key(names.REFERENCE, "Work in a private copy of that stage's volume, or of `code`."),
    "secrets": Key(secret_files.SCHEMA, "Variables from outside as files, for the stage's user alone: `NAME: {file: /path}`."),
    "services": Key(services.SCHEMA, "Containers beside the stage, by host name: an image, or `{img, env, run, ready, …}`."),
    "after": Key(one_or_many(names.REFERENCE), "Run after these stages."),
    "each": Key(each.SCHEMA, "A stage, or `{stage, limit}`: run one member for each line it printed; `$EACH` is the line."),
    "if": Key(one_or_many(names.REFERENCE), "Run only if each of these stages ended with exit code 0."),
    "unless": Key(one_or_many(names.REFERENCE), "Run only if each of these stages ended with another exit code than 0."),
    "implicit": Key(values.boolean.schema, "`false`: infer nothing from this script. Overrides `meta.implicit`."),
    "matrix": Key(
        matrices.SCHEMA, "Run once for each combination of values: variables with lists, and `include` and `exclude`."
    ),
    "approve": Key(gates.approve.schema, "The run waits until somebody agrees: a question, or `{text, timeout}`."),
    "concurrency": Key(
        gates.concurrency.schema, "At most so many stages of a group run at once, over all runs: its name, or `{group, limit}`."
    ),
}
"""Keys that only a stage itself can have."""

EXPANDED = frozenset({"build", "cpus", "dir", "img", "memory", "platform", "services", "timeout", "user", "vol"})
"""Keys of a stage in which `$NAME` and `${NAME}` stand for the values of parameters, and of the variables of its `matrix`."""

INHERITED: Mapping[str, Key | Setting] = {"img": IMG, **SETTINGS, "build": BUILD}
"""Keys that `meta.defaults` can give."""

STAGE: Mapping[str, Key | Setting] = {**INHERITED, **OWN}
"""Keys of a stage."""


def _expandable(keys: Mapping[str, Key | Setting]) -> dict[str, Key | Setting]:
    """The keys, with a schema that allows `$NAME` where it is expanded."""
    return {name: Key(or_expanded(key.schema), key.meaning) if name in EXPANDED else key for name, key in keys.items()}


SHORT_DEFAULTS = ("network", "pull", "platform")
"""Keys that `meta` gives to every stage without `defaults`."""

META: Mapping[str, Described] = {
    "name": Key(names.PIPELINE_NAME, "The pipeline's name, without `/ % & < >`; by default the root folder's."),
    "tags": Key(one_or_many(ANY), "Tags of the flow run."),
    "env": Key(variables.SCHEMA, "Variables for every stage that starts a container. A stage's own `env` wins."),
    "secrets": Key(secrets.SCHEMA, "Names of variables whose values are never shown and never kept."),
    "defaults": Key(mapping_of(_expandable(INHERITED)), "Keys that every stage inherits unless it sets them."),
    "implicit": Key(values.boolean.schema, "`false`: infer nothing from scripts, except in stages with `implicit: true`."),
    "subgraphs": Key(
        {"anyOf": [values.image.schema, {"type": "array", "items": {"anyOf": [values.image.schema, parameters.PACKAGE]}}]},
        "Packages: images that each run once before compiling and print one document; `{image, with}` gives values.",
    ),
    "parameters": Key(
        parameters.SCHEMA,
        "Values that whoever starts a run chooses: `name: default`, or `{type, default, choices, description}`.",
    ),
    "lint": Key(switches.SCHEMA, "Rules of the linter to turn `off` or `on`: `DK104: off`."),
    **{key: SETTINGS[key] for key in SHORT_DEFAULTS},
    **lifecycle.RUN,
}
"""Keys of `meta`."""

OF_A_CONTAINER = frozenset(SETTINGS) - {"noLog", "triggers", "when"} | {"concurrency", "services"}
"""Keys without effect if nothing is run and nothing is built."""

OF_A_SCRIPT = OF_A_CONTAINER - {"cache", "concurrency", "network", "platform", "pull", "retries", "stopGrace", "timeout"} | {
    "env",
    "vol",
    "on",
    "secrets",
}
"""Keys without effect if an image is built and nothing is run in it."""

LATER_IN_STAGES: Mapping[str, str] = {
    "artifacts": "what a stage leaves in `$OUT` is kept, and `vol: STAGE` gives it to another stage",
}
"""Keys of a stage that are planned for later, and what can be written until then."""


def read_settings(owner: str, by_key: Mapping[str, Node], findings: Findings) -> dict[str, Any]:
    """The values of the keys of `SETTINGS`, by the attributes that they set; None if a key is wrong or unset by `null`."""
    settings: dict[str, Any] = {}
    for key, node in by_key.items():
        setting = SETTINGS.get(key)
        if setting is not None:
            settings[setting.attribute] = None if is_null(node) else setting.read(Field(owner, key, node, findings))
    return settings
