"""The sources of settings, and the messages for wrong ones."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.settings import ConfigFile, Folders, Settings, load, read_config, read_settings

FOLDERS = Folders(working=Path("/work"), home=Path("/home/me"), data=Path("/home/me/.local/share/dockercise"))

UPKEEP: dict[str, Any] = {
    "crashed_after": 600,
    "keep_days": None,
    "keep_runs": None,
    "keep_size": None,
    "keep_cache_days": None,
    "keep_build_cache": None,
    "cache_size": 10 * 1024**3,
    "cache_days": 30,
    "cache_audit": 0,
    "gc_after_runs": False,
}
"""The settings of crashes and of `gc` if nothing is set."""

_OUTSIDE = ("github_client_id", "log_group", "aws_role", "aws_external_id", "s3_endpoint", "s3_encryption", "s3_kms_key")
OUTSIDE: dict[str, Any] = dict.fromkeys(_OUTSIDE)
"""The settings of GitHub and AWS if nothing is set."""

TRUSTING: dict[str, Any] = {
    "guard_host": False,
    "untrusted": False,
    "untrusted_stages": 100,
    "untrusted_cpus": 2,
    "untrusted_memory": 2 * 1024**3,
    "untrusted_timeout": 3600,
    "untrusted_pids": 1024,
    "untrusted_output": 100 * 1024**2,
    "untrusted_volume": 2 * 1024**3,
}
"""The settings of trust if nothing is set."""


def settings_of(
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    **overrides: object,
) -> Settings:
    config = None if text is None else ConfigFile(Path("/etc/config.toml"), text)
    return load(environment or {}, config, overrides, FOLDERS)


def test_defaults_need_nothing() -> None:
    """If nothing is set, every setting has a default and is marked as one."""
    settings = settings_of()

    assert settings == Settings(
        jobs=10,
        results="/home/me/.local/share/dockercise/results",
        root=None,
        log_lines=2000,
        data=Path("/home/me/.local/share/dockercise"),
        server_hosts=(),
        registry_credentials=None,
        pids=4096,
        link_hours=168,
        **OUTSIDE,
        **UPKEEP,
        **TRUSTING,
    )
    assert settings.origin("jobs") == "default"


@pytest.mark.parametrize(
    ("environment", "text", "flag", "jobs", "origin"),
    [
        ({"DOCKERCISE_JOBS": "3"}, "jobs = 2", 4, 4, "--jobs"),
        ({"DOCKERCISE_JOBS": "3"}, "jobs = 2", None, 3, "DOCKERCISE_JOBS"),
        ({}, "# mine\njobs = 2", None, 2, "/etc/config.toml:2 jobs"),
        ({"DOCKERCISE_JOBS": ""}, "jobs = 2", None, 2, "/etc/config.toml:1 jobs"),
        ({}, None, None, 10, "default"),
    ],
)
def test_the_nearest_source_wins(
    environment: dict[str, str], text: str | None, flag: int | None, jobs: int, origin: str
) -> None:
    """A flag wins over the environment, this over the file, and the file over the default; an empty variable is ignored."""
    settings = settings_of(environment, text, jobs=flag)

    assert (settings.jobs, settings.origin("jobs")) == (jobs, origin)


def test_every_setting_can_come_from_the_environment() -> None:
    """Each setting has a variable; relative paths are below the working folder, and results may be a URL."""
    settings = settings_of(
        {
            "DOCKERCISE_JOBS": " 7 ",
            "DOCKERCISE_RESULTS": "s3://bucket/x",
            "DOCKERCISE_ROOT": "repo/../code",
            "DOCKERCISE_LOG_LINES": "0",
            "DOCKERCISE_DATA": "~/data",
            "DOCKERCISE_SERVER_HOSTS": "Ci.example.org, [fd00::1]",
            "DOCKERCISE_REGISTRY_CREDENTIALS": "my-registry",
            "DOCKERCISE_GITHUB_CLIENT_ID": "Iv23liTests",
            "DOCKERCISE_LOG_GROUP": "ci",
            "DOCKERCISE_AWS_ROLE": "arn:aws:iam::123456789012:role/results",
            "DOCKERCISE_AWS_EXTERNAL_ID": "acme-7Q=,.@:/-",
            "DOCKERCISE_S3_ENDPOINT": "http://127.0.0.1:9000",
            "DOCKERCISE_S3_ENCRYPTION": "aws:kms",
            "DOCKERCISE_S3_KMS_KEY": "my-key",
            "DOCKERCISE_PIDS": "500",
            "DOCKERCISE_LINK_HOURS": "1",
            "DOCKERCISE_CRASHED_AFTER": "5m",
            "DOCKERCISE_KEEP_DAYS": "30",
            "DOCKERCISE_KEEP_RUNS": "100",
            "DOCKERCISE_KEEP_SIZE": "10g",
            "DOCKERCISE_KEEP_CACHE_DAYS": "90",
            "DOCKERCISE_KEEP_BUILD_CACHE": "20g",
            "DOCKERCISE_CACHE_SIZE": "2t",
            "DOCKERCISE_CACHE_DAYS": "365",
            "DOCKERCISE_CACHE_AUDIT": "20",
            "DOCKERCISE_GC_AFTER_RUNS": "true",
            "DOCKERCISE_GUARD_HOST": "true",
            "DOCKERCISE_UNTRUSTED": " True ",
            "DOCKERCISE_UNTRUSTED_STAGES": "5",
            "DOCKERCISE_UNTRUSTED_CPUS": ".5",
            "DOCKERCISE_UNTRUSTED_MEMORY": "512m",
            "DOCKERCISE_UNTRUSTED_TIMEOUT": "1h30m",
            "DOCKERCISE_UNTRUSTED_PIDS": "64",
            "DOCKERCISE_UNTRUSTED_OUTPUT": "500k",
            "DOCKERCISE_UNTRUSTED_VOLUME": "1g",
        }
    )

    assert settings == Settings(
        jobs=7,
        results="s3://bucket/x",
        root=Path("/work/code"),
        log_lines=0,
        data=Path("/home/me/data"),
        server_hosts=("ci.example.org", "[fd00::1]"),
        registry_credentials="my-registry",
        github_client_id="Iv23liTests",
        log_group="ci",
        aws_role="arn:aws:iam::123456789012:role/results",
        aws_external_id="acme-7Q=,.@:/-",
        s3_endpoint="http://127.0.0.1:9000",
        s3_encryption="aws:kms",
        s3_kms_key="my-key",
        pids=500,
        link_hours=1,
        crashed_after=300,
        keep_days=30,
        keep_runs=100,
        keep_size=10 * 1024**3,
        keep_cache_days=90,
        keep_build_cache=20 * 1024**3,
        cache_size=2 * 1024**4,
        cache_days=365,
        cache_audit=20,
        gc_after_runs=True,
        guard_host=True,
        untrusted=True,
        untrusted_stages=5,
        untrusted_cpus=0.5,
        untrusted_memory=512 * 1024**2,
        untrusted_timeout=5400,
        untrusted_pids=64,
        untrusted_output=500 * 1024,
        untrusted_volume=1024**3,
    )


def test_every_setting_but_the_root_can_come_from_the_file() -> None:
    """The file has the same settings with the same names."""
    settings = settings_of(
        text="""
            jobs = 7
            results = "~/results"
            log_lines = 5
            data = "/data"
            server_hosts = ["ci.example.org", "[fd00::1]"]
            registry_credentials = "my-registry"
            github_client_id = "Iv23liTests"
            log_group = "ci"
            aws_role = "arn:aws:iam::123456789012:role/results"
            aws_external_id = "acme-7Q=,.@:/-"
            s3_endpoint = "https://s3.example.com"
            s3_encryption = "AES256"
            s3_kms_key = "my-key"
            pids = 500
            link_hours = 24
            crashed_after = "1h"
            keep_days = 7
            keep_runs = 20
            keep_size = "500m"
            keep_cache_days = 30
            keep_build_cache = "1g"
            cache_size = "750m"
            cache_days = 14
            cache_audit = 1
            gc_after_runs = true
            guard_host = true
            untrusted = true
            untrusted_stages = 5
            untrusted_cpus = 0.5
            untrusted_memory = "512m"
            untrusted_timeout = "90s"
            untrusted_pids = 64
            untrusted_output = "500k"
            untrusted_volume = "1g"
        """
    )

    assert settings == replace(
        settings_of(),
        jobs=7,
        results="/home/me/results",
        log_lines=5,
        data=Path("/data"),
        server_hosts=("ci.example.org", "[fd00::1]"),
        registry_credentials="my-registry",
        github_client_id="Iv23liTests",
        log_group="ci",
        aws_role="arn:aws:iam::123456789012:role/results",
        aws_external_id="acme-7Q=,.@:/-",
        s3_endpoint="https://s3.example.com",
        s3_encryption="AES256",
        s3_kms_key="my-key",
        pids=500,
        link_hours=24,
        crashed_after=3600,
        keep_days=7,
        keep_runs=20,
        keep_size=500 * 1024**2,
        keep_cache_days=30,
        keep_build_cache=1024**3,
        cache_size=750 * 1024**2,
        cache_days=14,
        cache_audit=1,
        gc_after_runs=True,
        guard_host=True,
        untrusted=True,
        untrusted_stages=5,
        untrusted_cpus=0.5,
        untrusted_memory=512 * 1024**2,
        untrusted_timeout=90,
        untrusted_pids=64,
        untrusted_output=500 * 1024,
        untrusted_volume=1024**3,
    )


def test_results_are_in_the_data_folder_unless_said_otherwise() -> None:
    """If the data folder moves, the results move with it."""
    assert settings_of({"DOCKERCISE_DATA": "/data"}).results == "/data/results"


@pytest.mark.parametrize(
    ("environment", "text", "overrides", "said"),
    [
        ({"DOCKERCISE_JOBS": "many"}, None, {}, "DOCKERCISE_JOBS: `many` must be a whole number, 1 or more"),
        ({}, "crashed_after = '60s'", {}, "crashed_after: `60s` must be a duration like 10m or 1h, 120 s or more"),
        ({"DOCKERCISE_JOBS": "1.5"}, None, {}, "DOCKERCISE_JOBS: `1.5` must be a whole number, 1 or more"),
        ({}, None, {"jobs": 0}, "--jobs: `0` must be a whole number, 1 or more"),
        ({}, None, {"results": ""}, "--results: `` must be a string that is not empty"),
        ({"DOCKERCISE_LOG_LINES": "-1"}, None, {}, "DOCKERCISE_LOG_LINES: `-1` must be a whole number, 0 or more"),
        ({}, "jobs = true", {}, "/etc/config.toml:1 jobs: `true` must be a whole number, 1 or more"),
        ({}, "\n\njobs = [1]", {}, "/etc/config.toml:3 jobs: this must be a whole number, 1 or more"),
        ({}, "data = 'here'", {}, "/etc/config.toml:1 data: `here` must be an absolute path, or begin with `~/`"),
        (
            {"DOCKERCISE_AWS_ROLE": "results"},
            None,
            {},
            "DOCKERCISE_AWS_ROLE: `results` must be the ARN of a role, like arn:",
        ),
        ({}, "s3_endpoint = 'host'", {}, "/etc/config.toml:1 s3_endpoint: `host` must be an address like https://host:port"),
        ({}, "s3_encryption = 'yes'", {}, "/etc/config.toml:1 s3_encryption: `yes` must be `AES256` or `aws:kms`"),
        ({}, None, {"log_group": "a b"}, "--log-group: `a b` must be the name of a log group: letters, digits and `._/#-`"),
        ({}, "github_client_id = 'my app'", {}, "github_client_id: `my app` must be the client id of an app on GitHub"),
        ({"DOCKERCISE_LINK_HOURS": "169"}, None, {}, "DOCKERCISE_LINK_HOURS: `169` must be 168 or less"),
        ({"DOCKERCISE_UNTRUSTED": "yes"}, None, {}, "DOCKERCISE_UNTRUSTED: `yes` must be `true` or `false`"),
        ({}, "untrusted = 1", {}, "/etc/config.toml:1 untrusted: `1` must be `true` or `false`"),
        ({}, "untrusted = [true]", {}, "/etc/config.toml:1 untrusted: this must be `true` or `false`"),
        ({}, "untrusted_stages = 0", {}, "untrusted_stages: `0` must be a whole number, 1 or more"),
        ({}, "untrusted_cpus = 0", {}, "untrusted_cpus: `0` must be a number of processors, 0.01 or more"),
        ({}, "untrusted_cpus = true", {}, "untrusted_cpus: `true` must be a number of processors"),
        ({}, "untrusted_memory = 512", {}, "untrusted_memory: `512` must be a size like 512m or 2g, 6m or more"),
        ({}, "untrusted_memory = '2 gigs'", {}, "untrusted_memory: `2 gigs` must be a size like 512m or 2g"),
        ({}, "untrusted_timeout = 90", {}, "untrusted_timeout: `90` must be a duration like 1h30m, 5m or 90s"),
        ({}, "untrusted_timeout = ''", {}, "untrusted_timeout: `` must be a duration"),
        (
            {"DOCKERCISE_SERVER_HOSTS": "https://a.example"},
            None,
            {},
            (
                "DOCKERCISE_SERVER_HOSTS: `https://a.example` must be names of hosts, separated by commas, without a "
                "scheme or a port"
            ),
        ),
        ({}, "server_hosts = []", {}, "server_hosts: this must be names of hosts"),
        ({"DOCKERCISE_PIDS": "31"}, None, {}, "DOCKERCISE_PIDS: `31` must be a whole number, 32 or more"),
        ({}, "untrusted_pids = 5", {}, "untrusted_pids: `5` must be a whole number, 32 or more"),
        ({}, "untrusted_output = '0'", {}, "untrusted_output: `0` must be a size like 500k, 100m or 2g"),
        ({}, "registry_credentials = 1", {}, "registry_credentials: `1` must be a string that is not empty"),
    ],
)
def test_a_wrong_value_names_its_origin(
    environment: dict[str, str], text: str | None, overrides: dict[str, object], said: str
) -> None:
    """The message names the wrong variable, flag or line of the file, and the allowed values."""
    with pytest.raises(UsageError) as raised:
        settings_of(environment, text, **overrides)

    assert said in raised.value.message


def test_a_wrong_value_that_is_overridden_does_not_matter() -> None:
    """A value that a nearer source replaces is not checked."""
    assert settings_of({"DOCKERCISE_JOBS": "many"}, jobs=2).jobs == 2


def test_all_wrong_values_are_told_at_once() -> None:
    """Two wrong values give one error with both."""
    with pytest.raises(UsageError, match=r"colour(.|\n)*DOCKERCISE_JOBS"):
        settings_of({"DOCKERCISE_JOBS": "x"}, "colour = 1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job = 1", "/etc/config.toml:1 job: unknown setting\n  hint: did you mean `jobs`?"),
        ("\n[run]\njobs = 1", "/etc/config.toml:2 run: unknown setting\n  hint: the settings are jobs, results, "),
        ("root = '/x'", "/etc/config.toml:1 root: unknown setting"),
        ("jobs = ", "/etc/config.toml: not valid TOML: "),
    ],
)
def test_a_file_that_makes_no_sense_is_an_error(text: str, said: str) -> None:
    """Unknown keys get a hint, and invalid TOML is reported with its place."""
    with pytest.raises(UsageError) as raised:
        settings_of(text=text)

    assert said in raised.value.message


def test_other_variables_with_our_prefix_are_not_ours() -> None:
    """Variables of the user's pipeline that begin with DOCKERCISE_ are not an error."""
    assert settings_of({"DOCKERCISE_RUN_ID": "x"}) == settings_of()


def test_no_file_is_no_settings(tmp_path: Path) -> None:
    """Most users have no file, and this is not an error."""
    (tmp_path / "file").write_text("")

    assert read_config(tmp_path / "config.toml") is None
    assert read_config(tmp_path / "file" / "config.toml") is None


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder in place of the file, or a file in another encoding, is an error with the path."""
    (tmp_path / "latin.toml").write_bytes(b'results = "/caf\xe9"\n')

    with pytest.raises(UsageError, match=r"latin\.toml are not UTF-8"):
        read_config(tmp_path / "latin.toml")
    with pytest.raises(UsageError, match="cannot read the settings in"):
        read_config(tmp_path)


def test_the_process_has_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reads the file in the user's configuration folder, the environment and the flags."""
    for name in [name for name in os.environ if name.startswith("DOCKERCISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("DOCKERCISE_LOG_LINES", "5")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config" / "dockercise").mkdir(parents=True)
    (tmp_path / "config" / "dockercise" / "config.toml").write_text("jobs = 2\n")

    settings = read_settings(results="out")

    assert settings == Settings(
        jobs=2,
        results=str(tmp_path / "out"),
        root=None,
        log_lines=5,
        data=tmp_path / "data" / "dockercise",
        server_hosts=(),
        registry_credentials=None,
        **OUTSIDE,
        pids=4096,
        link_hours=168,
        **UPKEEP,
        **TRUSTING,
    )
