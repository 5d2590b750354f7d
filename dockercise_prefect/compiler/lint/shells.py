"""Rules about scripts that the shell does not read as expected."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.compiler.shell.syntax import HERE_DOCUMENT, INDENTED_END
from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code

_NO_CHANGE = re.compile(r"#![ \t]*(?:/usr)?/bin/(?:env[ \t]+)?sh(?:[ \t]+-e)?[ \t]*\Z")
"""Shebangs that name the shell that runs the script anyway."""

_ENDS = {
    "fi": "an `if` without its `fi`",
    "done": "a loop without its `done`",
    "esac": "a `case` without its `esac`",
    HERE_DOCUMENT: "a here-document without its last line",
    INDENTED_END: "a here-document: its last line is indented",
    ")": "a `(` without its `)`",
    "))": "a `((` without its `))`",
    "]": "a `[` without its `]`",
    "]]": "a `[[` without its `]]`",
    "}": "a `{` without its `}`",
    "`": "a backtick that is not closed",
    "'": "a single quote that is not closed",
    '"': "a double quote that is not closed",
}


def shebang_without_effect(subject: Subject) -> Iterator[Diagnostic]:
    """DK113: a script begins with `#!`, with another interpreter or options, and both are ignored."""
    for stage in subject.pipeline:
        first = (stage.script or "").partition("\n")[0].rstrip("\r")
        if first.startswith("#!") and not _NO_CHANGE.match(first):
            yield warning(
                Code.SHEBANG_WITHOUT_EFFECT,
                f"{stage.name}: the line `{first}` has no effect: `/bin/sh` runs the script",
                subject.script_place(stage, 0),
                hint="to use another program, write `bash -e <<'END'`, then the script, then `END`; "
                "or run a file of the code: `bash code/script.sh`",
            )


def left_open(subject: Subject) -> Iterator[Diagnostic]:
    """DK114: an `if`, a loop, a quote, a bracket or a here-document is still open at the end of a script."""
    for stage in subject.pipeline:
        script = subject.script(stage)
        found = script.unclosed if script is not None else None
        if found is not None:
            yield warning(
                Code.LEFT_OPEN,
                f"{stage.name}: the script ends inside {_ENDS[found.close]}",
                subject.script_place(stage, found.start),
                hint="close it: otherwise the shell rejects the script, or reads everything up to its end as one part",
            )
