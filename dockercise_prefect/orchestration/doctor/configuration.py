"""The settings and the variables that decide how runs go. Secrets are shown as `set`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from dockercise_prefect.errors import did_you_mean
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus, SettingRead
from dockercise_prefect.orchestration.doctor.probe import without_logins
from dockercise_prefect.settings import Settings

_SHOWN: Final = (
    "DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_BUILDKIT DOCKER_DEFAULT_PLATFORM",
    "PREFECT_API_URL PREFECT_HOME PREFECT_PROFILE PREFECT_LOGGING_LEVEL",
    "HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy SSL_CERT_FILE REQUESTS_CA_BUNDLE",
    "AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3",
    "AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE XDG_CONFIG_HOME XDG_DATA_HOME GIT_SSH_COMMAND TMPDIR",
)
_SECRET: Final = (
    "PREFECT_API_KEY PREFECT_API_AUTH_STRING PREFECT_SERVER_API_AUTH_STRING PREFECT_CLIENT_CUSTOM_HEADERS",
    "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
    "DOCKERCISE_WEBHOOK_SECRET DOCKERCISE_GIT_USER DOCKERCISE_GIT_PASSWORD GITHUB_TOKEN SSH_AUTH_SOCK",
)
_OURS: Final = "DOCKERCISE_"
_LOGIN_FIRST: Final = re.compile(r"\A[^/\s@]+@")


def settings_shown(settings: Settings) -> dict[str, SettingRead]:
    """Every setting with its origin, as JSON values."""
    names = [each.name for each in fields(settings) if each.name != "origins"]
    return {name: SettingRead(_plain(getattr(settings, name)), settings.origin(name)) for name in names}


def environment_shown(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter and are set."""
    # The address of a proxy may be written without a scheme.
    shown = {name: _LOGIN_FIRST.sub("***@", without_logins(environ[name])) for name in _names(_SHOWN) if environ.get(name)}
    return shown | {name: "set" for name in _names(_SECRET) if environ.get(name)}


def settings_check(settings: Settings, environ: Mapping[str, str]) -> Check:
    """How many settings differ from their defaults, and whether a variable has the misspelt name of a setting."""
    known = [f"{_OURS}{each.name.upper()}" for each in fields(settings) if each.name != "origins"]
    other = [name for name in environ if name.startswith(_OURS) and name not in {*known, *_names(_SECRET)}]
    for name in sorted(other):
        if meant := did_you_mean(name, known):
            return Check("settings", CheckStatus.WARNING, f"{name} is not a setting", f"did you mean {meant}?")
    count = len(settings.origins)
    return Check(
        "settings",
        CheckStatus.OK,
        f"{count} of {len(known)} set" if count else "all have their defaults",
        facts={"set": count},
    )


def _names(table: tuple[str, ...]) -> list[str]:
    return [name for line in table for name in line.split()]


def _plain(value: Any) -> str | int | float | bool | list[str] | None:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [str(each) for each in value]
    if isinstance(value, str):
        return without_logins(value)
    plain: int | float | bool | None = value
    return plain
