"""What is shown of settings and variables."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from dockercise_prefect.orchestration.doctor.check import CheckStatus
from dockercise_prefect.orchestration.doctor.configuration import environment_shown, settings_check, settings_shown
from dockercise_prefect.settings import Folders, Settings, load


def settings(environ: dict[str, str] | None = None) -> Settings:
    """The settings with these variables."""
    return load(environ or {}, None, {}, Folders(Path("/w"), Path("/h"), Path("/h/data")))


def test_every_setting_has_its_value_and_origin() -> None:
    """All settings are listed, those that are set with the variable that set them."""
    shown = settings_shown(settings({"DOCKERCISE_JOBS": "4", "DOCKERCISE_SERVER_HOSTS": "a,b"}))

    assert set(shown) == {each.name for each in fields(Settings)} - {"origins"}
    assert (shown["jobs"].value, shown["jobs"].origin) == (4, "DOCKERCISE_JOBS")
    assert (shown["server_hosts"].value, shown["data"].value, shown["data"].origin) == (["a", "b"], "/h/data", "default")


def test_secrets_are_shown_as_set() -> None:
    """No value of a secret is shown, and no login in an address; variables that are not set or do not matter are not listed."""
    environ = {
        "DOCKER_HOST": "tcp://ada:hunter2@host:2376",
        "HTTPS_PROXY": "http://bob:hunter2@proxy:3128",
        "http_proxy": "bob:hunter2@proxy:3128",
        "PREFECT_API_KEY": "hunter2",
        "PREFECT_API_AUTH_STRING": "ada:hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_PROFILE": "",
        "EDITOR": "vi",
    }

    assert environment_shown(environ) == {
        "DOCKER_HOST": "tcp://***@host:2376",
        "HTTPS_PROXY": "http://***@proxy:3128",
        "http_proxy": "***@proxy:3128",
        "PREFECT_API_KEY": "set",
        "PREFECT_API_AUTH_STRING": "set",
        "AWS_SECRET_ACCESS_KEY": "set",
    }


def test_a_misspelt_setting_is_a_warning() -> None:
    """A variable that is nearly a setting has no effect, which the user should know; other variables are not ours to judge."""
    misspelt = settings_check(settings(), {"DOCKERCISE_JOB": "4"})
    known = settings_check(settings({"DOCKERCISE_JOBS": "4"}), {"DOCKERCISE_JOBS": "4", "DOCKERCISE_WEBHOOK_SECRET": "x"})

    assert (misspelt.status, misspelt.found) == (CheckStatus.WARNING, "DOCKERCISE_JOB is not a setting")
    assert misspelt.hint == "did you mean DOCKERCISE_JOBS?"
    assert (known.status, known.facts) == (CheckStatus.OK, {"set": 1})
