"""Our specs as the engine's JSON."""

from __future__ import annotations

from typing import Any

import pytest

from dockercise_prefect.runtime.docker.arguments import build_parameters, committed_config, container_config, platform_matches
from dockercise_prefect.runtime.docker.images import resolved_image
from dockercise_prefect.runtime.dockerfile.reference import parse_reference
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec
from dockercise_prefect.runtime.image_build import BuildSpec


def _config(**fields: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": "n", "image": "sha256:1", "command": ("/bin/sh", "-c", "true"), "labels": {"a": "b"}}
    return container_config(ContainerSpec(**{**spec, **fields}), init=True)


def test_the_command_replaces_entrypoint_and_command() -> None:
    """The whole command is the entrypoint, so that the image's own entrypoint does not interfere."""
    config = _config()

    assert (config["Entrypoint"], config["Cmd"]) == (["/bin/sh", "-c", "true"], [])


def test_standard_streams_are_attached_and_input_ends_once() -> None:
    """All three streams are attached without a terminal, and standard input closes at its first end."""
    config = _config()

    attached = {key: config[key] for key in ("AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce", "Tty")}
    assert attached == {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "Tty": False,
    }


def test_a_container_without_a_standard_input() -> None:
    """Input is not attached if nobody sends any."""
    config = _config(stdin=False)

    assert (config["AttachStdin"], config["OpenStdin"], config["StdinOnce"]) == (False, False, False)
    assert config["AttachStdout"]


def test_the_engine_stores_no_output_and_removes_nothing_by_itself() -> None:
    """Output is not stored as a log, and the container stays until its exit code has been read."""
    host = _config()["HostConfig"]

    assert host["LogConfig"] == {"Type": "none"}
    assert host["AutoRemove"] is False


def test_limits_and_capabilities_are_asked_for() -> None:
    """The number of processes and the dropped capabilities are set, and left out when they are not given."""
    limited = _config(pids=5, dropped=("ALL",), added=("NET_ADMIN",))["HostConfig"]
    plain = _config()["HostConfig"]

    assert (limited["PidsLimit"], limited["CapDrop"], limited["CapAdd"]) == (5, ["ALL"], ["NET_ADMIN"])
    assert not plain.keys() & {"PidsLimit", "CapDrop", "CapAdd"}


def test_programs_gain_no_rights_unless_they_may() -> None:
    """The kernel ignores setuid bits and capabilities of files, unless the spec says otherwise."""
    assert _config()["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
    assert "SecurityOpt" not in _config(gains_rights=True)["HostConfig"]


def test_health_checks_and_stop_signals_of_the_image_are_off() -> None:
    """The image's health check does not run, and a container is stopped with SIGTERM whatever the image sets."""
    config = _config()

    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert config["StopSignal"] == "SIGTERM"


def test_variables_folder_labels_and_network_go_straight_through() -> None:
    """Settings that mean the same to us and to the engine are only renamed."""
    config = _config(env={"A": "1=2", "B": ""}, working_dir="/w", network="container:x", sysctls={"net.x": "0"})

    assert config["Env"] == ["A=1=2", "B="]
    assert config["WorkingDir"] == "/w"
    assert config["Labels"] == {"a": "b", "dockercise.mark": "n"}
    assert config["HostConfig"]["NetworkMode"] == "container:x"
    assert config["HostConfig"]["Sysctls"] == {"net.x": "0"}


def test_volumes_start_empty_and_host_folders_must_exist() -> None:
    """A volume takes nothing from the image; a host folder is bound in the way that refuses a missing folder."""
    volume = ContainerMount("volume", "v", "/a", read_only=True)
    host = ContainerMount("host", "/h", "/b", read_only=False)

    mounts = _config(mounts=(volume, host))["HostConfig"]["Mounts"]

    assert mounts == [
        {"Type": "volume", "Source": "v", "Target": "/a", "ReadOnly": True, "VolumeOptions": {"NoCopy": True}},
        {"Type": "bind", "Source": "/h", "Target": "/b", "ReadOnly": False},
    ]


def test_limits() -> None:
    """Processors are counted in billionths, and memory includes swap."""
    host = _config(cpus=0.7, memory=1 << 29)["HostConfig"]

    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (700_000_000, 1 << 29, 1 << 29)


@pytest.mark.parametrize(("wanted", "given"), [(0.5, 500_000_000), (2, 2_000_000_000), (64, 2_000_000_000)])
def test_more_processors_than_there_are(wanted: float, given: int) -> None:
    """The engine refuses a limit above its number of processors, so the limit is lowered to that number."""
    spec = ContainerSpec(name="n", image="i", command=("true",), labels={}, cpus=wanted)

    assert container_config(spec, init=True, processors=2)["HostConfig"]["NanoCpus"] == given


def test_what_is_not_set_is_the_images_or_the_engines() -> None:
    """User and limits are left out unless they are given; an empty user counts as given."""
    config = _config()

    assert "User" not in config
    assert not {"NanoCpus", "Memory", "MemorySwap", "Sysctls"} & set(config["HostConfig"])
    assert _config(user="")["User"] == ""


@pytest.mark.parametrize("init", [True, False])
def test_init_as_the_engine_can(*, init: bool) -> None:
    """An init process is requested if the engine has one."""
    spec = ContainerSpec(name="n", image="i", command=("true",), labels={})

    assert container_config(spec, init=init)["HostConfig"]["Init"] is init


@pytest.mark.parametrize(
    ("platform", "image", "expected"),
    [
        ("linux/amd64", {"Os": "linux", "Architecture": "amd64"}, True),
        ("linux/arm64", {"Os": "linux", "Architecture": "amd64"}, False),
        ("linux", {"Os": "linux", "Architecture": "amd64"}, True),
        ("windows", {"Os": "linux", "Architecture": "amd64"}, False),
        ("linux/x86_64", {"Os": "linux", "Architecture": "amd64"}, True),
        ("linux/aarch64", {"Os": "linux", "Architecture": "arm64", "Variant": "v8"}, True),
        ("linux/arm64/v8", {"Os": "linux", "Architecture": "arm64"}, True),
        ("linux/arm/v6", {"Os": "linux", "Architecture": "arm", "Variant": "v7"}, False),
        ("linux/arm", {"Os": "linux", "Architecture": "arm", "Variant": "v7"}, True),
        ("Linux/AMD64", {"Os": "linux", "Architecture": "amd64"}, True),
    ],
)
def test_platforms(platform: str, image: dict[str, Any], *, expected: bool) -> None:
    """A platform is compared only as far as it is written, under any name of its architecture."""
    assert platform_matches(platform, image) is expected


def test_images_of_one_digest_for_several_platforms_are_told_apart() -> None:
    """Engines on machines of different kinds have different images under the same digest of a repository."""
    digest = f"python@sha256:{'1' * 64}"
    intel = {"Id": "sha256:2", "RepoDigests": [digest], "Os": "linux", "Architecture": "amd64"}
    arm = {"Id": "sha256:3", "RepoDigests": [digest], "Os": "linux", "Architecture": "arm64", "Variant": "v8"}

    found = [resolved_image("python:3.12", parse_reference("python:3.12"), image) for image in (intel, arm)]

    assert {image.digest for image in found} == {digest}
    assert [image.platform for image in found] == ["linux/amd64", "linux/arm64/v8"]


def test_a_build_takes_nothing_from_the_cache_and_removes_its_containers() -> None:
    """A plain build uses no cache, removes its containers, and asks registries only for missing images."""
    parameters = build_parameters(BuildSpec(what="a", dockerfile=b"", labels={}), "D", "m")

    assert parameters == {
        "dockerfile": "D",
        "nocache": "1",
        "rm": "1",
        "forcerm": "1",
        "networkmode": "bridge",
        "extrahosts": "m.dockercise.invalid:0.0.0.0",
        "buildargs": "{}",
    }


def test_what_a_build_says_is_asked_for() -> None:
    """Arguments, target, platform, network, limits and `pull: always` reach the engine."""
    spec = BuildSpec(
        what="a",
        dockerfile=b"",
        labels={},
        args={"V": "1.10"},
        target="test",
        network="none",
        platform="linux/arm64",
        pull=True,
        cpus=0.5,
        memory=1000,
    )

    parameters = build_parameters(spec, "D", "m")

    assert parameters["buildargs"] == '{"V": "1.10"}'
    assert (parameters["target"], parameters["platform"]) == ("test", "linux/arm64")
    assert (parameters["networkmode"], parameters["pull"]) == ("none", "1")
    assert (parameters["cpuquota"], parameters["cpuperiod"]) == ("50000", "100000")
    assert (parameters["memory"], parameters["memswap"]) == ("1000", "1000")


def test_a_committed_image_is_configured_like_the_containers_own_image() -> None:
    """The configuration comes from the image, not from the container, and the labels are added."""
    image = {
        "User": "node",
        "Env": ["PATH=/bin", "A=1"],
        "Entrypoint": ["/e"],
        "Cmd": ["c"],
        "WorkingDir": "/w",
        "Labels": {"of": "image"},
        "Volumes": {"/v": {}},
    }
    container = {"User": "5", "Env": ["PATH=/x", "A=2"], "Entrypoint": ["/bin/sh"], "WorkingDir": "/"}

    config = committed_config(image, container, {"our": "label"})

    assert config == {**image, "Labels": {"of": "image", "our": "label"}}


def test_what_an_image_does_not_say_does_not_come_from_the_container() -> None:
    """A field that the image leaves empty gets an equivalent text, since the engine would fill it from the container."""
    container = {"User": "5", "Env": ["OUT=/a", "LEVEL=1", "OUT=/b"], "Entrypoint": ["/bin/sh"], "WorkingDir": "/x"}

    config = committed_config(None, container, {})

    assert config == {"User": "0", "Env": ["OUT", "LEVEL"], "Entrypoint": [], "WorkingDir": "/", "Labels": {}}


def test_a_committed_image_of_root_is_roots() -> None:
    """If the image names no user, the committed image names none, so it runs as root."""
    assert committed_config({"User": ""}, {"User": "", "Env": None}, {})["User"] == ""
