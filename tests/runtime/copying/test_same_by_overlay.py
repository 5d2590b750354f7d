"""A copy by an overlay is for a stage, and for who comes after it, what a copy of all bytes is."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.archives.tarball import members
from dockercise_prefect.pipeline import PullPolicy, code
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import ContainerMount, EngineInfo, ResolvedImage
from dockercise_prefect.runtime.overlay import FOLDERS, NEW, Overlay, OverlayFacts
from tests.engines.driving import member, members_of, tar_of
from tests.engines.scripted import BUSYBOX
from tests.runtime.workspaces import Ran, sh, volumes_of, workspace

pytestmark = pytest.mark.docker

MAKES = r"""
cd /a
chmod 2750 . && chown 7:8 .
echo one > one && ln one second && mkdir -p deep/er && ln one deep/third
echo secret > secret && chmod 0400 secret && chown 1000:1001 secret
printf '#!/bin/sh\n' > program && chmod 4755 program
mkdir folder empty gone && echo x > folder/x && echo y > gone/y && chmod 1777 empty
mkdir folder/inner && echo z > folder/inner/z
ln -s one link && ln -s /absent dangling && ln -s folder tofolder
mkfifo fifo && mknod null c 1 3
echo "ä" > "a name with ä and spaces" && echo n > "$(printf 'new\nline')" && echo dot > .hidden
"""

LOOKS = r"""
cd /b
find . ! -type d -exec stat -c '%n %F %a %u:%g %h %s' {} \; | sort
find . -type d -exec stat -c '%n %F %a %u:%g' {} \; | sort
find . -type f -exec md5sum {} \; 2>/dev/null | sort
"""

CHANGES = r"""
cd /b
echo more >> one && cat second deep/third
mv folder moved && echo new > moved/new && mkdir folder && echo other > folder/other
rm -r gone && mkdir gone && echo other > gone/z
rm -r empty && echo file > empty
chmod 0600 program && rm link && mkdir link
ln second fourth && mv second renamed && rm deep/third
chown 5:6 .hidden 2>/dev/null || true
ln -sf renamed dangling
"""


class CopiesBytes(DockerEngine):
    """The same engine, as if it had no overlays."""

    def info(self) -> EngineInfo:
        return replace(super().info(), overlays=OverlayFacts(refusal="for this test"))


@pytest.fixture
def copying() -> Iterator[DockerEngine]:
    """The real engine as if it had no overlays."""
    with closing(CopiesBytes.connect()) as engine:
        yield engine


def everything(tar: bytes) -> dict[str, tuple[object, ...]]:
    """All that an archive says, without times."""
    return {
        each.name: (each.type, each.mode, each.uid, each.gid, each.linkname, each.devmajor, each.devminor, b"".join(content))
        for each, content in members([tar])
    }


def ran_by(engine: DockerEngine, run_id: str, user: str | None, root: Path | None = None) -> Ran:
    """The run of a stage that works on a copy, and of one that looks at what it left."""
    a = sh("a", MAKES)
    b = sh("b", LOOKS + CHANGES + LOOKS, on=a if root is None else code, user=user)
    if root is not None:
        b = sh("b", LOOKS + "mv folder moved; echo more >> one; rm -r deep", on=code, user=user)
    c = sh("c", "find /b | sort; find /b -type f -exec md5sum {} \\; | sort", volumes=[b.volume])
    unchanged = "find /a -exec stat -c '%n %F %a %u:%g' {} \\; | sort; find /a -type f -exec md5sum {} \\; | sort"
    d = sh("d", unchanged, volumes=[a.volume], after=[b])
    with workspace(engine, a, b, c, d, root=root, run_id=run_id) as ran:
        for stage in (a, b, c, d):
            result = ran.run(stage)
            assert result.status.succeeded, (result.message, ran.output)
    return ran


@pytest.mark.parametrize("user", [None, "1000:1001"])
def test_a_stage_sees_and_leaves_the_same(
    docker_engine: DockerEngine, copying: DockerEngine, run_id: str, user: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, kinds, modes, owners, links, hard links, deletions and renames are the same as with a copy of all bytes."""
    if user is not None:  # not root may not read or change everything
        monkeypatch.setattr(f"{__name__}.MAKES", f"{MAKES}\nchmod 644 secret; chown -Rh 1000:1001 .\n")

    by_overlay = ran_by(docker_engine, run_id, user)
    by_copy = ran_by(copying, run_id, user)

    volumes = [ran.results["b"].volume for ran in (by_overlay, by_copy)]
    assert [bool(volume and volume.changes) for volume in volumes] == [True, False]
    for stage in "bcd":
        assert by_overlay.printed(stage).decode() == by_copy.printed(stage).decode()
    left = [everything(ran.volumes["b"] or b"") for ran in (by_overlay, by_copy)]
    assert left[0] == left[1]
    assert left[0]["b/moved/inner/z"][-1] == b"z\n"
    assert everything(by_overlay.volumes["a"] or b"") == everything(by_copy.volumes["a"] or b"")


@pytest.mark.parametrize("user", [None, "1000"])
def test_a_copy_of_the_code_is_the_same(
    docker_engine: DockerEngine, copying: DockerEngine, run_id: str, user: str | None, tmp_path: Path
) -> None:
    """A copy of the code is the same too. It belongs to the stage's user, so it is an overlay only for root."""
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "deep").mkdir()
    for path in ("one", "folder/x", "folder/inner/z", "deep/y"):
        (tmp_path / path).write_text(path)

    by_overlay = ran_by(docker_engine, run_id, user, tmp_path)
    by_copy = ran_by(copying, run_id, user, tmp_path)

    volume = by_overlay.results["b"].volume
    assert volume is not None
    assert (volume.changes is not None) == (user is None)
    assert by_overlay.printed("b") == by_copy.printed("b")
    assert everything(by_overlay.volumes["b"] or b"") == everything(by_copy.volumes["b"] or b"")


def test_capabilities_of_files_stay(docker_engine: DockerEngine, run_id: str) -> None:
    """A copy by an overlay has the capabilities of files, and everything else that the engine reads of a volume."""
    image = the_image(docker_engine)
    volumes = volumes_of(docker_engine, run_id)
    program = member("program", mode=0o755)
    capability = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)  # cap_net_raw, permitted and effective
    program.pax_headers = {"SCHILY.xattr.security.capability": capability.decode("latin-1")}
    origin = volumes.filled("origin", image.id, [_packed_with(program)])
    changes = volumes.filled(
        "changes", image.id, [tar_of(*((member(name, tarfile.DIRTYPE, mode=0o755), b"") for name in ("new/upper", "new/work")))]
    )
    copy = volumes.overlaid("s", Overlay(origin, changes, FOLDERS[NEW]))

    read = [_read(docker_engine, run_id, image, volume) for volume in (origin, copy)]

    assert read[0]["v/program"].pax_headers["SCHILY.xattr.security.capability"]
    assert _headers(read[0]) == _headers(read[1])
    for name in (copy, changes, origin):
        docker_engine.remove_volume(name)


def the_image(engine: DockerEngine) -> ResolvedImage:
    """The image of the tests."""
    return engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=print)


def _headers(read: dict[str, tarfile.TarInfo]) -> dict[str, Mapping[str, str]]:
    return {name: each.pax_headers for name, each in read.items()}


def _packed_with(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "latin-1", "surrogateescape") + bytes(1024)


def _read(engine: DockerEngine, run_id: str, image: ResolvedImage, volume: str) -> dict[str, tarfile.TarInfo]:
    with volumes_of(engine, run_id).reader(image.id, ContainerMount("volume", volume, "/v", read_only=True)) as container:
        return {name: info for name, (info, _) in members_of(engine.get(container, "/v")).items()}
