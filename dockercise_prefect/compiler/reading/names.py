"""Valid names, and the variable of a stage's name (LANGUAGE section 3)."""

from __future__ import annotations

import re
import unicodedata

from dockercise_prefect.compiler.reading.shapes import SPACE, Schema, matcher, scalar

MAX_BYTES = 200
"""The most bytes of a stage's name. In the results, it is the name of a file, and there must be room for an ending."""

OUR_FOLDERS = frozenset({"meta", "code", "out", "index", "summary", ".", ".."})

IMAGE_FOLDERS = frozenset(
    "bin boot dev etc home lib lib32 lib64 media mnt opt proc root run sbin srv sys tmp usr var".split()  # noqa: SIM905  a table
)

IDENTIFIER_SOURCE = r"[A-Za-z_][A-Za-z0-9_]*"
IDENTIFIER = matcher(IDENTIFIER_SOURCE)
"""What a shell accepts as a variable's name."""

OURS_SOURCE = r"OUT|DOCKERCISE_[\s\S]*|GRAPH_CI_RUN_ID"
_OURS = matcher(OURS_SOURCE)
_SHELLS = (
    r"BASH|BASH_[\s\S]*|BASHOPTS|BASHPID|CDPATH|CHILD_MAX|COLUMNS|COMP_[\s\S]*|COMPREPLY|COPROC|DIRSTACK|EMACS|EPOCHREALTIME|"
    r"EPOCHSECONDS|ERRNO|EUID|EXECIGNORE|FCEDIT|FIGNORE|FPATH|FUNCNAME|FUNCNEST|GLOBIGNORE|GLOBSORT|GROUPS|HIST[A-Z]+|HOST(?:FILE|NAME|TYPE)|"
    r"IGNOREEOF|INPUTRC|INSIDE_EMACS|LANG|LC_[\s\S]*|LINENO|LINES|MACHTYPE|MAIL|MAILCHECK|MAILPATH|MAPFILE|OLDPWD|OPTARG|OPTERR|OPTIND|"
    r"OSTYPE|PIPESTATUS|POSIXLY_CORRECT|PPID|PROMPT_[\s\S]*|PS[0-4]|PWD|RANDOM|READLINE_[\s\S]*|REPLY|SECONDS|SHELL|SHELLOPTS|SHLVL|"
    r"SRANDOM|TERM|TIMEFORMAT|TMOUT|TMPDIR|UID|_"
)
"""Variables that shells set or use themselves. Some of them take an expression, and substitutions in it are run."""

WELL_KNOWN = frozenset(
    {
        "CARGO_HOME",
        "GOLANG_VERSION",
        "GOPATH",
        "JAVA_HOME",
        "JAVA_VERSION",
        "LOGNAME",
        "NODE_VERSION",
        "PHP_VERSION",
        "PYTHON_VERSION",
        "RUBY_VERSION",
        "RUSTUP_HOME",
        "RUST_VERSION",
        "USER",
    }
)
"""Variables that widely used images set, in addition to those of shells."""

_TAKEN = matcher(rf"{OURS_SOURCE}|PATH|HOME|IFS|ENV|LD_[\s\S]*|{_SHELLS}")
_RESERVED = OUR_FOLDERS | IMAGE_FOLDERS | {""}
_EVERYDAY = re.compile(r"[A-Za-z0-9_.-]{1,200}\Z")
"""Names that are always valid, unless they are reserved."""

_NO_PIPELINES = frozenset({".", "..", ".cache"})
"""In the place of the results, the folder of a pipeline has its name, and `.cache` has what stages with `cache` left."""

_PREFECT_FORBIDS = frozenset("/%&<>")
_CONTROL = r"\x00-\x1f\x7f-\x9f"

_FORBIDDEN = rf"/\\:{SPACE}{_CONTROL}"
_CANNOT_STAND = re.compile(f"[{_FORBIDDEN}]")

NAME_SOURCE = f"[^{_FORBIDDEN}]+"
"""The characters of a stage's name. A regular expression cannot count bytes, or see whether characters are composed."""

REFERENCE: Schema = scalar(NAME_SOURCE, "the name of a stage cannot contain white space, /, \\ or :")
"""For a place that refers to a stage by its name."""

NEW_NAME_SOURCE = rf"(?!(?:{'|'.join(map(re.escape, sorted(OUR_FOLDERS | IMAGE_FOLDERS)))})$)[^{_FORBIDDEN}]{{1,{MAX_BYTES}}}"
"""For the place where a stage gets its name."""

PIPELINE_NAME: Schema = {
    **scalar(
        rf"(?!\.{{1,2}}$)(?![{SPACE}]+$)[^/%&<>{_CONTROL}]+",
        "a pipeline's name cannot contain / % & < > or control characters",
    ),
    "maxLength": MAX_BYTES,
}


def is_ours(variable: str) -> bool:
    """Whether dockercise itself always sets the variable."""
    return _OURS.match(variable) is not None


def is_taken(variable: str) -> bool:
    """Whether a stage's value must not be inferred for the variable, because the shell or the loader would act on it."""
    return _TAKEN.match(variable) is not None


def is_environment(variable: str) -> bool:
    """Whether dockercise, a shell, the engine or a widely used image sets it."""
    return is_taken(variable) or variable in WELL_KNOWN


def stage_name_problem(name: str) -> tuple[str, str] | None:
    """Why a stage cannot have this name, and a hint; None if it can."""
    if name in _RESERVED:
        return _reserved_name_problem(name)
    return None if _EVERYDAY.match(name) else _odd_name_problem(name)


def _reserved_name_problem(name: str) -> tuple[str, str]:
    if name not in IMAGE_FOLDERS:
        return (f"`{name}` is a reserved name" if name else "the name is empty"), "choose another name"
    return (
        f"`{name}` is a folder in most images",
        f"the volume of the stage would hide `/{name}` of the image; choose another name",
    )


def _odd_name_problem(name: str) -> tuple[str, str] | None:
    bad = _CANNOT_STAND.search(name)
    if bad is not None:
        return f"{_described(bad[0])} is not allowed in a stage's name", "use `-` or `_` instead"
    if len(name.encode()) > MAX_BYTES:
        return f"a stage's name can have at most {MAX_BYTES} bytes, but this one has {len(name.encode())}", "shorten it"
    if not unicodedata.is_normalized("NFC", name):
        return "the name has letters and accents as separate characters", "write it in Unicode's composed form, NFC"
    return None


def pipeline_name_problem(name: str) -> tuple[str, str] | None:
    """Why a pipeline cannot have this name, and a hint; None if it can."""
    if not name.strip() or name.lower() in _NO_PIPELINES:
        return f"`{name}` cannot be the name of a pipeline", "choose another name"
    bad = next((character for character in name if character in _PREFECT_FORBIDS or not character.isprintable()), None)
    if bad is not None:
        return f"{_described(bad)} is not allowed in a pipeline's name", "use `-` instead"
    if len(name.encode()) > MAX_BYTES:
        return f"a pipeline's name can have at most {MAX_BYTES} bytes, but this one has {len(name.encode())}", "shorten it"
    return None


def pipeline_name_from(folder: str) -> str:
    """A folder's name, in which characters that a pipeline's name cannot contain are replaced by `-`."""
    name = "".join("-" if character in _PREFECT_FORBIDS or not character.isprintable() else character for character in folder)
    return "pipeline" if pipeline_name_problem(name) else name


def _described(character: str) -> str:
    return f"`{character}`" if character.isprintable() and not character.isspace() else f"the character U+{ord(character):04X}"
