r"""How values reach a script without being stored: through its standard input.

A container's configuration can be read by everyone who can reach the engine, and it is copied to every image that is made from
the container. So the container's command is a small POSIX shell script, the boot. It reads variables from its input, exports
them, and then replaces itself with the real command, whose input is empty. It ends with 125 if the input ends too early: a
script must not run, and perhaps pass, without its variables. A script may end with 125 as well. So the boot also prints a line
that has the marker of this one launch.

The boot uses only builtins. Each variable is one line, `command export NAME='text'`, with line feeds as `"$…"`, so that
reading takes linear time. Some names are read-only in a shell, for example `UID` in bash. Because of `command`, the shell does
not end there: it only reports the error on stderr, as it would for a variable that was set in any other way.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from dockercise_prefect.pipeline.shells import is_posix_shell
from dockercise_prefect.runtime.engine import ResolvedImage

SHELL = "/bin/sh"

NO_FILES: Mapping[str, bytes] = MappingProxyType({})

LOST_INPUT = 125
"""Exit code of a boot if its input ended before all variables had come."""

LONGEST_ARGUMENT = 131_071
"""Bytes that Linux accepts as one argument or variable, without its final NUL (MAX_ARG_STRLEN)."""

_LOST = "this stage did not receive its variables, so it did not run"

_LINE_FEED = "__dockercise_lf"
_LINE = "__dockercise_line"

_READ = f"""\
{_LINE_FEED}='
'
while :; do
  IFS= read -r {_LINE} || {{ echo "{_LOST} ($1)" >&2; exit {LOST_INPUT}; }}
  [ "${_LINE}" = "$1" ] && break
  eval "${_LINE}"
done"""

_FORGET = f"unset {_LINE} {_LINE_FEED}"

BOOT = f"""\
{_READ}
{_FORGET}
shift
exec "$@" <>/dev/null
"""
"""Called with the marker and the real command as arguments."""

BOOT_FROM_FILE = f"""\
{_READ} <"$2" || exit {LOST_INPUT}
{{ :; }} >"$2"
{_FORGET}
shift 2
exec "$@"
"""
"""Called with the marker, a file, and the real command as arguments. Reads the variables from the file, and empties it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a container is started.

    Attributes:
        command: its command.
        stdin: what is sent to it; None if it has no standard input.
        script: path and text of a file that must be in the container, in its own folder; None if the script is an argument.
        lost: the last line of a boot whose input ended too early; None if there is no boot.
    """

    command: tuple[str, ...]
    stdin: bytes | None = None
    script: tuple[str, bytes] | None = None
    lost: str | None = None

    def was_lost(self, exit_code: int, last_line: str) -> bool:
        """Whether a container that ended like this never started its real command, because its variables were missing.

        Args:
            exit_code: of the container.
            last_line: the last line that it printed.
        """
        return self.lost is not None and exit_code == LOST_INPUT and last_line == self.lost


def launch(
    script: str | None,
    image: ResolvedImage,
    variables: Mapping[str, bytes],
    interpreter: Sequence[str] = (),
    files: Mapping[str, bytes] = NO_FILES,
) -> Launch:
    """The command and the input for a script, or for the image's own command.

    Args:
        script: run by `/bin/sh` with `set -e`; None for the image's own command, which needs a shell only if there are
            variables to pass.
        image: the image of the container.
        variables: from a name, which is an identifier, to its text, which may have any bytes except NUL.
        interpreter: the command that runs the script instead of `/bin/sh`; another program than a shell gets it as a file.
        files: files that the boot writes, by their paths. Only the stage's user can read them. Their folder must exist.
    """
    if script is None:
        return launch_program(image.command, variables, files)
    text = script.encode("utf-8", "surrogateescape")
    command = tuple(interpreter) or (SHELL,)
    if is_posix_shell(interpreter):
        command = (*command, "-e")
        if len(text) <= LONGEST_ARGUMENT:
            return launch_program((*command, "-c", script), variables, files)
    path = f"/.dockercise-{secrets.token_hex(8)}/script"
    return replace(launch_program((*command, path), variables, files), script=(path, text))


def launch_program(command: tuple[str, ...], variables: Mapping[str, bytes], files: Mapping[str, bytes] = NO_FILES) -> Launch:
    """The command and the input for a program.

    It starts through a boot only if there is something to pass, since the boot needs a shell and a connection for its input.

    Args:
        command: the program and its arguments.
        variables: as for `launch`.
        files: as for `launch`.
    """
    if not variables and not files:
        return Launch(command)
    marker = secrets.token_hex(16)
    return Launch(booted(command, marker), input_block(variables, marker, files), lost=f"{_LOST} ({marker})")


def booted(command: Sequence[str], marker: str) -> tuple[str, ...]:
    """The command of a boot that takes its variables from its standard input.

    Args:
        command: the real command.
        marker: the one in the input, which is an `input_block`.
    """
    return (SHELL, "-c", BOOT, SHELL, marker, *command)


def boot_from_file(path: str, marker: str, command: Sequence[str]) -> tuple[str, ...]:
    """The command of a boot that takes its variables from a file of the container, and leaves its standard input alone.

    Args:
        path: of the file, which has an `input_block`. Whoever the container runs as must be able to write to it.
        marker: the one in the file.
        command: the real command.
    """
    return (SHELL, "-c", BOOT_FROM_FILE, SHELL, marker, path, *command)


def input_block(variables: Mapping[str, bytes], marker: str, files: Mapping[str, bytes] = NO_FILES) -> bytes:
    """What the boot reads: a line for each variable and each file, then the marker."""
    lines = [b"command export %s='%s'\n" % (name.encode(), _quoted(text)) for name, text in variables.items()]
    lines += [
        b"(umask 077; command printf %%s '%s' >'%s') || exit %d\n" % (_quoted(text), _quoted(path.encode()), LOST_INPUT)
        for path, text in files.items()
    ]
    return b"".join(lines) + marker.encode() + b"\n"


def _quoted(text: bytes) -> bytes:
    line_feed = f"""'"${_LINE_FEED}"'""".encode()
    return text.replace(b"'", b"'\\''").replace(b"\n", line_feed)
