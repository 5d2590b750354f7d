"""The digest of a pipeline: `sha256:…` over what it does.

The digest does not depend on the pipeline's name, the places in the source, whether an edge was written or inferred, or the
order of things that have no order. The hashed text is `codec.meaning_of` of each stage as JSON with sorted keys, and a test
checks that. The text is written here directly, for speed: every compilation writes it for every stage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from json.encoder import encode_basestring as quoted
from operator import attrgetter

from dockercise_prefect.pipeline.model import EnvSource, Image, ImageReference, Pipeline, Stage, StageValue
from dockercise_prefect.pipeline.parts import build_to_json, env_to_json, image_to_json, mount_to_json, triggers_in_order

_BOOLEANS = {None: "null", True: "true", False: "false"}

_on_one_line = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def digest_of(pipeline: Pipeline) -> str:
    """The digest of a pipeline."""
    return digest_of_stages(pipeline.stages, pipeline.tags, pipeline.secrets)


def digest_of_stages(stages: Iterable[Stage], tags: Iterable[str], secrets: Iterable[str]) -> str:
    """The digest of a pipeline that does not exist yet, from its stages (in any order), tags and secrets."""
    digest = hashlib.sha256(f'{{"secrets":{_on_one_line(sorted(secrets))},"stages":{{'.encode())
    separator = ""
    for stage in sorted(stages, key=attrgetter("name")):
        digest.update(f"{separator}{_stage(stage)}".encode("utf-8", "surrogatepass"))
        separator = ","
    digest.update(f'}},"tags":{_on_one_line(sorted(tags))}}}'.encode("utf-8", "surrogatepass"))
    return f"sha256:{digest.hexdigest()}"


def _stage(stage: Stage) -> str:
    edges = stage.depends_on
    if len(edges) > 1:
        edges = tuple(sorted(edges, key=lambda edge: (edge.stage, edge.kind)))
    depends_on = ",".join([f'{{"kind":{quoted(edge.kind)},"stage":{quoted(edge.stage)}}}' for edge in edges])
    env = ",".join([f"{quoted(name)}:{_source(source)}" for name, source in sorted(stage.env.items())])
    mounts = _on_one_line([mount_to_json(mount) for mount in stage.mounts]) if stage.mounts else "[]"
    return (
        f'{quoted(stage.name)}:{{"build":{"null" if stage.build is None else _on_one_line(build_to_json(stage.build))},'
        f'"cpus":{"null" if stage.cpus is None else json.dumps(stage.cpus)},'
        f'"depends_on":[{depends_on}],"env":{{{env}}},'
        f'"image":{_image(stage.image)},'
        f'"memory":{"null" if stage.memory is None else json.dumps(stage.memory)},'
        f'"mounts":{mounts},"network":{quoted(stage.network)},"never_fail":{_BOOLEANS[stage.never_fail]},'
        f'"no_log":{_BOOLEANS[stage.no_log]},"on":{"null" if stage.on is None else quoted(stage.on)},'
        f'"platform":{"null" if stage.platform is None else quoted(stage.platform)},"pull":{quoted(stage.pull)},'
        f'"run":{"null" if stage.run is None else quoted(stage.run)},'
        f'"timeout":{"null" if stage.timeout is None else json.dumps(stage.timeout)},'
        f'"triggers":{_on_one_line(triggers_in_order(stage)) if stage.triggers else "[]"},'
        f'"user":{"null" if stage.user is None else quoted(stage.user)},"working_dir":{quoted(stage.working_dir)}}}'
    )


def _image(image: Image | None) -> str:
    if isinstance(image, ImageReference):
        return f'{{"ref":{quoted(image.ref)}}}'
    return "null" if image is None else _on_one_line(image_to_json(image))


def _source(source: EnvSource) -> str:
    if isinstance(source, StageValue):
        return f'{{"stage":{quoted(source.stage)}}}'
    return _on_one_line(env_to_json(source))
