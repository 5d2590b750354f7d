"""How well-known commands use their words: as files, patterns, programs, or names of things that are elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from dockercise_prefect.compiler.shell.literals import Form, Reading
from dockercise_prefect.compiler.shell.patterns import given


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELLS = _words("sh bash dash ash zsh ksh mksh busybox")
"""Commands that read a shell script, as an argument of `-c` or from stdin."""

_RUN_STDIN = SHELLS | _words("python python2 python3 node ruby perl php deno bun lua Rscript xargs")
"""Commands that run what they read from stdin."""

_WITH_FOLDERS = _words(
    "cat cp ls mv du find rsync ln stat head tail wc diff cmp tar zip cd pushd tree test [ gzip realpath readlink sha256sum"
)
"""Commands whose operands are files or folders, so that `cp -r build x` copies the folder `build`."""

_WITH_FILES = (
    _WITH_FOLDERS
    | _RUN_STDIN
    | _words(
        "rm chmod chown touch tee sort uniq cut less more file source . unzip gunzip zcat md5sum sha1sum sha512sum mkdir "
        "install make sed gsed awk gawk mawk nawk grep egrep fgrep ggrep zgrep jq yq exec env time nohup timeout "
        "go-junit-report"
    )
)
"""Commands whose paths are certainly files of this machine."""

_WRITING = frozenset({"rm", "mkdir", "rmdir", "touch", "chmod", "chown", "install"})
"""Commands whose relative paths are more probably made by the script itself."""

_DISTANT = _words(
    "docker podman nerdctl buildah skopeo kubectl oc helm git gh glab aws az gcloud gsutil rclone npm yarn pnpm npx "
    "cargo mvn gradle pip pip3 apk apt apt-get yum dnf brew terraform ansible ansible-playbook ssh scp sftp curl wget "
    "systemctl service mount echo printf date export vault consul nomad heroku fly flyctl"
)
"""Commands whose words with a slash are usually not paths, but images, branches, objects, addresses or texts."""

_REMOTE = _words(
    "docker podman nerdctl buildah skopeo kubectl oc scp sftp rsync rclone sshfs mount git lxc vagrant gcloud gsutil multipass"
)
"""Commands that write a path elsewhere as `name:/path`."""

_RUNNERS = _words(
    "sudo doas env time timeout nice nohup exec command builtin xargs parallel busybox setsid stdbuf ionice chroot watch retry"
)
"""Commands that run another command, which is among their words."""

_RUN_OPTIONS_END = 40
"""The number of words among which the command that another one runs is searched."""

_PRINTING = frozenset({"echo", "printf"})

_CONTAINERS = frozenset({"docker", "podman", "nerdctl"})
_REQUESTS = frozenset({"http", "https", "xh", "xhs", "ab", "hey", "wrk"})
_PATTERN_OPTION = re.compile(r"--(?:exclude|exclude-dir|exclude-from|ignore|filter)(?:=|\Z)")
_FIND_PATTERNS = frozenset({"-path", "-ipath", "-name", "-iname", "-wholename", "-iwholename", "-regex", "-iregex", "-lname"})
_COMPARING = frozenset({"=", "==", "!=", "<", ">", "=~"})
_FILES_OF_CONTAINERS = re.compile(r"--(?:env-file|cidfile|label-file|iidfile|config)(?:=|\Z)")
_IN_A_CONTAINER = frozenset({"run", "create", "exec"})
_SHORT_WITH_VALUE = _words("-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w")
_SCRIPT_NAMES = re.compile(r"(?:\.(?:sh|bash|py|js|mjs|cjs|ts|rb|pl|php|lua|mk)|\bMakefile)\Z")

Exceptions = Callable[[Sequence[str]], Iterator[int]]


def called(name: str) -> str:
    """A command's name without its folder."""
    return posixpath.basename(name)


def runs_stdin(name: str) -> bool:
    """Whether a command runs what it reads from stdin."""
    return called(name) in _RUN_STDIN


def is_script(file: str) -> bool:
    """Whether a file's name shows that its text is a program."""
    return _SCRIPT_NAMES.search(file) is not None


def reading_of(name: str) -> Reading:
    """How to read the operands of a command."""
    called_as = called(name)
    return Reading(
        sure=called_as in _WITH_FILES,
        relative=called_as not in _DISTANT and called_as not in _WRITING,
        names=called_as in _WITH_FOLDERS,
        remote=called_as in _REMOTE,
    )


def effective(texts: Sequence[str]) -> int:
    """Index of the actual command, after `sudo`, `env`, `xargs` and similar commands."""
    at = 0
    while called(texts[at]) in _RUNNERS:
        among = range(at + 1, min(len(texts), at + _RUN_OPTIONS_END))
        following = next((index for index in among if called(texts[index]) in _KNOWN), None)
        if following is None:
            return at
        at = following
    return at


def readings(texts: Sequence[str]) -> list[Reading | None]:
    """How to read each word of a command; None for a word that is not a path and contains none.

    Args:
        texts: the words, the command's name first.
    """
    start = effective(texts)
    before: list[Reading | None] = [Reading(sure=True)] * start
    found = [*before, *_readings(texts[start:])]
    for at, form in given(texts):  # also after `find -exec`
        found[at] = None if form is None else Reading(form)
    for at in _excluded(texts):
        found[at] = None
    return found


def _readings(texts: Sequence[str]) -> list[Reading | None]:
    name = called(texts[0])
    usual = reading_of(name)
    found: list[Reading | None] = [Reading(sure=True), *([usual] * (len(texts) - 1))]
    for at, text in enumerate(texts[1:], start=1):
        if text.startswith(":"):
            found[at] = None
        elif name in _PRINTING and any(character.isspace() for character in text):
            found[at] = Reading(Form.ASIDE)
    for at in _EXCEPTIONS[name](texts) if name in _EXCEPTIONS else ():
        found[at] = None
    return found


def _all(texts: Sequence[str]) -> Iterator[int]:
    yield from range(1, len(texts))


def _excluded(texts: Sequence[str]) -> Iterator[int]:
    for at, text in enumerate(texts):
        if _PATTERN_OPTION.match(text):
            yield at
            if "=" not in text:
                yield from range(at + 1, min(at + 2, len(texts)))


def _values_of(options: frozenset[str]) -> Exceptions:
    """The values of these options: the words after them, and the words that contain option and value."""

    def found(texts: Sequence[str]) -> Iterator[int]:
        for at, text in enumerate(texts):
            if text in options and at + 1 < len(texts):
                yield at + 1
            elif text.partition("=")[0] in options:
                yield at

    return found


def _of_containers(texts: Sequence[str]) -> Iterator[int]:
    """`docker run` and similar commands name paths of the engine's machine and of another container."""
    verb = next((at for at, text in enumerate(texts) if text in _IN_A_CONTAINER and at <= _VERB_BEFORE), None)
    if verb is None:
        return
    for at in range(verb + 1, len(texts)):
        if not _FILES_OF_CONTAINERS.match(texts[at]) and not _FILES_OF_CONTAINERS.fullmatch(texts[at - 1]):
            yield at


_VERB_BEFORE = 6
"""The last position at which the verb of `docker` can be, after docker's own options."""


def _of_clusters(texts: Sequence[str]) -> Iterator[int]:
    """The words after `--` run in a pod, and `--raw` names a path on the server."""
    end = texts.index("--") if "--" in texts else len(texts)
    yield from range(end, len(texts))
    yield from _values_of(frozenset({"--raw"}))(texts)


def _of_ssh(texts: Sequence[str]) -> Iterator[int]:
    """The words after the host run on that host."""
    at = 1
    while at < len(texts) and texts[at].startswith("-"):
        at += 2 if texts[at] in _SHORT_WITH_VALUE else 1
    yield from range(at, len(texts))


def _of_aws(texts: Sequence[str]) -> Iterator[int]:
    """Only `s3` and a few options use files. Names of parameters and of log groups look like paths."""
    if len(texts) > 1 and texts[1] == "s3":
        return
    for at, text in enumerate(texts):
        names_file = text.startswith(("file://", "fileb://"))
        option = texts[at - 1] if at else ""
        if not names_file and not option.startswith(("--template-file", "--body", "--output-template", "--ca-bundle")):
            yield at


def _of_requests(texts: Sequence[str]) -> Iterator[int]:
    return (at for at, text in enumerate(texts) if at and "@" not in text)


def _of_gh(texts: Sequence[str]) -> Iterator[int]:
    if texts[1:2] == ["api"]:
        yield from _all(texts)


def _of_git(texts: Sequence[str]) -> Iterator[int]:
    if "sparse-checkout" in texts:
        yield from range(texts.index("sparse-checkout"), len(texts))


def _of_tests(texts: Sequence[str]) -> Iterator[int]:
    """The words that `[` compares are texts, not files."""
    for at, text in enumerate(texts):
        if text in _COMPARING and at:
            yield from (each for each in (at - 1, at + 1) if 0 < each < len(texts))


_EXCEPTIONS: Mapping[str, Exceptions] = {
    **dict.fromkeys(_CONTAINERS, _of_containers),
    **dict.fromkeys(("kubectl", "oc"), _of_clusters),
    **dict.fromkeys(_REQUESTS, _of_requests),
    **dict.fromkeys(("[", "test"), _of_tests),
    "aws": _of_aws,
    "expr": _all,
    "find": _values_of(_FIND_PATTERNS),
    "gh": _of_gh,
    "git": _of_git,
    "helm": _values_of(frozenset({"--set", "--set-string", "--set-json"})),
    "ssh": _of_ssh,
    "mosh": _of_ssh,
}

_KNOWN = _WITH_FILES | _DISTANT | _REMOTE | _EXCEPTIONS.keys() | _RUNNERS | {"su", "printenv", "envsubst", "read", "eval"}
