"""`secrets` of a stage: variables from outside that are files in its container (LANGUAGE-2 section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf

from dockercise_prefect.compiler.reading.lifecycle import parts_of
from dockercise_prefect.compiler.reading.mounts import PlacedMount
from dockercise_prefect.compiler.reading.names import IDENTIFIER_SOURCE
from dockercise_prefect.compiler.reading.shapes import Key, Schema, key_names
from dockercise_prefect.compiler.reading.values import Field, absolute_path
from dockercise_prefect.compiler.reading.variables import Variable, Variables
from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.nodes import Mapping, Scalar
from dockercise_prefect.pipeline import Code, StageName
from dockercise_prefect.pipeline.sources import MEMORY_FOLDER

_PARTS = {"file": Key(absolute_path.schema, "The path of the file in the container.")}

_FORMS = "write `NAME: {file: /path}`, or `NAME?: {file: /path}` for a variable that may be unset"

SCHEMA: Schema = {
    "type": "object",
    "propertyNames": key_names(rf"{IDENTIFIER_SOURCE}\??", "not a valid variable name"),
    "additionalProperties": {
        "anyOf": [
            absolute_path.schema,
            {
                "type": "object",
                "properties": {"file": {**absolute_path.schema, "description": _PARTS["file"].meaning}},
                "required": ["file"],
                "additionalProperties": False,
            },
        ]
    },
}
"""What can be written in `secrets`."""


def read_secret_files(
    stage: StageName, field: Field, variables: Variables, mounts: SequenceOf[PlacedMount]
) -> dict[str, Variable]:
    """The secret files of a stage, by their paths. Each is a variable whose name is the path (`Stage.env`).

    Args:
        stage: the stage.
        field: its `secrets`.
        variables: reads the names.
        mounts: what the stage mounts. A secret file is never part of a volume.
    """
    if not isinstance(field.node, Mapping):
        field.wrong_type("a mapping of variables to files", _FORMS)
        return {}
    files: dict[str, Variable] = {}
    targets = [f"/{stage}", "/out", MEMORY_FOLDER, *(placed.mount.target for placed in mounts)]
    for name, path, place in _entries(field, field.node):
        variable = variables.from_outside(name, place)
        if variable is None:
            continue
        below = next((target for target in targets if f"{path}/".startswith(f"{target.rstrip('/')}/")), None)
        if below is not None or path == "/":
            field.findings.error(
                Code.MOUNT_TWICE,
                f"{field.owner}: the secret file `{path}` would be in a volume, which is mounted at `{below or '/'}`",
                place.place,
                hint="choose a path that is not below a mount, such as `/run/secrets/name`",
            )
        elif path in files:
            field.findings.error(
                Code.MOUNT_TWICE,
                f"{field.owner}: two secret files have the path `{path}`",
                place.place,
                hint="choose another path for one of them",
                related=[Related("the first is here", files[path].place)],
            )
        else:
            files[path] = Variable(path, variable.source, place.place)
    return files


def _entries(field: Field, node: Mapping) -> Iterator[tuple[str, str, Field]]:
    for key, value in node:
        entry = Field(field.owner, f"secrets: {key.text}", value, field.findings)
        if isinstance(value, Scalar):
            path = absolute_path(entry)
        else:
            parts = parts_of(entry, _PARTS, "a path, or `{file: /path}`")
            path = absolute_path(parts["file"]) if parts is not None and "file" in parts else None
            if parts is not None and "file" not in parts:
                entry.wrong_value("`file` is missing", _FORMS)
        if path is not None:
            yield key.text, path, field.at(key)
