"""Provides the image `busybox:latest` on the engine. If it is missing, pulls it, or builds it from Debian's static busybox."""

from __future__ import annotations

import io
import platform
import queue
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from docker import APIClient
from docker.errors import APIError
from requests.exceptions import RequestException

from scripts import debian
from scripts.console import SetUpError, say

REPOSITORY, TAG = "busybox", "latest"
PROGRESS = "progress"
REGISTRY_SECONDS = 20
"""Seconds that the engine may be silent during a pull. By itself, it waits much longer if no registry answers."""

CHANGES = ["ENV PATH=/bin", 'CMD ["sh"]']
PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}


def ensure_busybox(client: APIClient) -> None:
    """Make sure that the engine has the image.

    Raises:
        SetUpError: no registry answers, and the image cannot be built here.
    """
    if has_image(client):
        return
    say(f"pulling {REPOSITORY}:{TAG}")
    problem = _pull(client)
    if problem is None:
        return
    say(f"no registry gave it ({problem})")
    _check_architecture(client)
    say(f"building {REPOSITORY}:{TAG} from Debian's busybox-static")
    binary = _static_busybox()
    client.import_image_from_data(image_tar(binary, _applets(binary)), repository=REPOSITORY, tag=TAG, changes=CHANGES)


def has_image(client: APIClient) -> bool:
    """Whether the engine has the image."""
    return bool(client.images(f"{REPOSITORY}:{TAG}"))


def image_tar(binary: bytes, applets: Sequence[str]) -> bytes:
    """The file system of an image that contains only busybox. The same input gives the same bytes.

    Args:
        binary: a static busybox.
        applets: the names of its commands. For its own name, no link is made, since the link would point to itself.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)):
            _add(tar, folder, mode, kind=tarfile.DIRTYPE)
        _add(tar, "bin/busybox", 0o755, content=binary)
        for applet in sorted(set(applets) - {"busybox"}):
            _add(tar, f"bin/{applet}", 0o777, kind=tarfile.SYMTYPE, link="busybox")
        _add(tar, "etc/passwd", 0o644, content=PASSWD)
        _add(tar, "etc/group", 0o644, content=b"root:x:0:\n")
    return stream.getvalue()


def _add(
    tar: tarfile.TarFile, name: str, mode: int, *, kind: bytes = tarfile.REGTYPE, content: bytes = b"", link: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), link
    tar.addfile(entry, io.BytesIO(content))


def _pull(client: APIClient) -> str | None:
    """Pull the image. Returns the error in one line, or None if the image was pulled."""
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # The SDK cannot limit how long a pull is silent, so the pull runs in a thread that nobody waits for.
    threading.Thread(target=_follow_pull, args=(client, answers.put), daemon=True).start()
    try:
        while (answer := answers.get(timeout=REGISTRY_SECONDS)) == PROGRESS:
            pass
    except queue.Empty:
        return f"nothing answered within {REGISTRY_SECONDS} s"
    return answer


def _follow_pull(client: APIClient, tell: Callable[[str | None], None]) -> None:
    try:
        for event in client.pull(REPOSITORY, tag=TAG, stream=True, decode=True):
            tell(event.get("error", PROGRESS))
    except (APIError, RequestException) as error:
        tell(str(getattr(error, "explanation", None) or error))
    else:
        tell(None)


def _check_architecture(client: APIClient) -> None:
    theirs = client.version()["Arch"]
    ours = ARCHITECTURES.get(platform.machine(), platform.machine())
    if theirs != ours:
        raise SetUpError(
            f"the engine needs {theirs} programs, this machine has {ours}",
            f"bring the image to it: docker save {REPOSITORY} | docker load",
        )


def _static_busybox() -> bytes:
    """Debian's static busybox: the installed one, or the one from its package, which is not installed."""
    installed = Path("/bin/busybox")
    if _is_installed("busybox-static") and installed.exists():
        return installed.read_bytes()
    if debian.which("dpkg") is None:
        raise SetUpError("there is no busybox image and no registry answers", "make one named busybox:latest on the engine")
    with tempfile.TemporaryDirectory(prefix="dockercise-busybox-") as folder:
        package = debian.download("busybox-static", Path(folder))
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
        found = next(path for path in (Path(folder, "bin/busybox"), Path(folder, "usr/bin/busybox")) if path.exists())
        return found.read_bytes()


def _is_installed(package: str) -> bool:
    form = ["--show", "--showformat", "${db:Status-Status}", package]
    if debian.which("dpkg-query") is None:
        return False
    return subprocess.run(["dpkg-query", *form], capture_output=True, text=True, check=False).stdout == "installed"


def _applets(binary: bytes) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="dockercise-busybox-") as folder:
        program = Path(folder, "busybox")
        program.write_bytes(binary)
        program.chmod(0o755)
        return subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
