"""A pipeline as JSON text, indented by two blanks.

`codec` defines the JSON, and a test checks that this text is the same. The fields that every stage has are written here
directly, for speed: the standard library indents in Python, which takes longer than all the rest of compiling.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from dockercise_prefect.pipeline.digest import digest_of
from dockercise_prefect.pipeline.model import (
    Dependency,
    EnvSource,
    Image,
    ImageReference,
    Pipeline,
    Stage,
    StageName,
    StageValue,
)
from dockercise_prefect.pipeline.parts import build_to_json, env_to_json, image_to_json, mount_to_json
from dockercise_prefect.pipeline.sensitivity import sensitive_stages

_BOOLEANS = {None: "null", True: "true", False: "false"}


def to_json_text(pipeline: Pipeline, targets: Sequence[StageName] = ()) -> str:
    """The result of `to_json` as a text of many lines.

    Args:
        pipeline: the pipeline to print.
        targets: the stages that the user asked for; empty means everything.
    """
    sensitive = sensitive_stages(pipeline)
    stages = ",\n    ".join([_stage(stage, sensitive.get(stage.name)) for stage in pipeline.stages])
    return f"""{{
  "name": {quoted(pipeline.name)},
  "digest": {quoted(pipeline.digest or digest_of(pipeline))},
  "targets": {_below(list(targets), "  ")},
  "tags": {_below(list(pipeline.tags), "  ")},
  "secrets": {_below(list(pipeline.secrets), "  ")},
  "stages": {_braced(stages, "  ")}
}}
"""


def _stage(stage: Stage, sensitive: str | None) -> str:
    env = ",\n        ".join([f"{quoted(name)}: {_source(source)}" for name, source in stage.env.items()])
    edges = ",\n        ".join([_edge(edge) for edge in stage.depends_on])
    mounts = [mount_to_json(mount) for mount in stage.mounts] if stage.mounts else None
    return f"""{quoted(stage.name)}: {{
      "image": {_image(stage.image)},
      "build": {"null" if stage.build is None else _below(build_to_json(stage.build), "      ")},
      "run": {"null" if stage.run is None else quoted(stage.run)},
      "env": {_braced(env, "      ")},
      "mounts": {_below(mounts, "      ") if mounts else "[]"},
      "on": {"null" if stage.on is None else quoted(stage.on)},
      "working_dir": {quoted(stage.working_dir)},
      "timeout": {"null" if stage.timeout is None else json.dumps(stage.timeout)},
      "depends_on": {_bracketed(edges, "      ")},
      "no_log": {_BOOLEANS[stage.no_log]},
      "sensitive": {"null" if sensitive is None else quoted(sensitive)},
      "never_fail": {_BOOLEANS[stage.never_fail]},
      "triggers": {_below(list(stage.triggers), "      ") if stage.triggers else "[]"},
      "user": {"null" if stage.user is None else quoted(stage.user)},
      "network": {quoted(stage.network)},
      "pull": {quoted(stage.pull)},
      "platform": {"null" if stage.platform is None else quoted(stage.platform)},
      "cpus": {"null" if stage.cpus is None else json.dumps(stage.cpus)},
      "memory": {"null" if stage.memory is None else json.dumps(stage.memory)},
      "at": {"null" if stage.place is None else quoted(str(stage.place))}
    }}"""


def _image(image: Image | None) -> str:
    if isinstance(image, ImageReference):
        return f'{{\n        "ref": {quoted(image.ref)}\n      }}'
    return "null" if image is None else _below(image_to_json(image), "      ")


def _source(source: EnvSource) -> str:
    if isinstance(source, StageValue):
        return f'{{\n          "stage": {quoted(source.stage)}\n        }}'
    return _below(env_to_json(source), "        ")


def _edge(edge: Dependency) -> str:
    return f"""{{
          "stage": {quoted(edge.stage)},
          "kind": {quoted(edge.kind)},
          "inferred": {_BOOLEANS[edge.inferred]},
          "at": {"null" if edge.place is None else quoted(str(edge.place))}
        }}"""


def _braced(entries: str, margin: str) -> str:
    return f"{{\n{margin}  {entries}\n{margin}}}" if entries else "{}"


def _bracketed(items: str, margin: str) -> str:
    return f"[\n{margin}  {items}\n{margin}]" if items else "[]"


def _below(value: Any, margin: str) -> str:
    """Any JSON value, for a line that is indented by the margin. JSON escapes newlines in texts, so all are line ends."""
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", f"\n{margin}")
