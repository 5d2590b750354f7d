"""`explain STAGE --since RUN`: what is different between a stage of a recorded run and the same stage now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.cli.outlook import Given
from dockercise_prefect.compiler.compile import compile_with_origin
from dockercise_prefect.compiler.written_places import WrittenPlaces
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.frontend.subgraphs import Packages
from dockercise_prefect.git.context import read_context
from dockercise_prefect.orchestration.reuse.engine_images import images_here
from dockercise_prefect.orchestration.reuse.expected_texts import expected_texts
from dockercise_prefect.orchestration.reuse.file_lists import RunFileLists
from dockercise_prefect.orchestration.reuse.foresight import Foresight, Surveyed
from dockercise_prefect.orchestration.reuse.resume import PassedStages, passed_in
from dockercise_prefect.orchestration.reuse.since import Chained, Since, made_from_in, since
from dockercise_prefect.orchestration.reuse.sources import CacheSource, RecordSource
from dockercise_prefect.pipeline import StageName, bound
from dockercise_prefect.pipeline.conditions import skipped_beforehand
from dockercise_prefect.results.cache.lists import Lists
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.reuse.difference import Difference
from dockercise_prefect.settings import read_settings


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A stage, compared with a run.

    Attributes:
        places: where the differences are written, in their order; None where nothing is written.
    """

    stage: StageName
    run_id: str
    found: Since
    places: Sequence[Place | None]


def explained_since(root: Path, packages: Packages, name: StageName, wanted: str, given: Given) -> str:
    """The text about a stage.

    Args:
        root: the folder of the pipeline.
        packages: from `chosen_packages`.
        name: the stage.
        wanted: what the user calls the run: its id, the beginning of one, or `last`.
        given: what the user has given for variables and results.

    Raises:
        DefinitionError: the stage does not exist (DK040).
        UsageError: no run has that id, or the record of the run does not say what the stage was made from.
        StorageError: the place of the results cannot be read.
    """
    compiled, origin = compile_with_origin(root, packages=packages, parameters=given.parameters)
    show_findings(compiled.warnings)
    pipeline = bound(compiled.pipeline).only([name])
    stage = pipeline.by_name[name]
    settings = read_settings(results=given.results)
    objects = open_objects(settings.results, settings)
    run = Records(objects, pipeline.name).find(wanted)
    then, passed = made_from_in(run, name), passed_in(run)
    context = read_context(root)
    surveyed = Surveyed(pipeline, root, images_here(pipeline))
    texts = expected_texts(pipeline, context, given.flags, given.file_variables)
    source = Chained([RecordSource(passed.entries), CacheSource(objects, pipeline.name)], name)
    foresight = Foresight(surveyed, skipped_beforehand(pipeline, context, ()), texts, source)
    files = RunFileLists(Lists(objects), lambda folder: surveyed.code_digests().listing(folder))
    found = since(foresight, stage, then, _obstacle(passed, name), files)
    places = WrittenPlaces(origin.document, stage)
    compared = Compared(stage=name, run_id=run.run_id, found=found, places=[places.of(one) for one in found.differences])
    return "".join(f"{printable(line)}\n" for line in _lines(compared))


def _obstacle(passed: PassedStages, name: StageName) -> str | None:
    if name in passed.entries:
        return None
    return passed.incomplete.get(name, "it did not pass there")


def _lines(compared: Compared) -> Iterator[str]:
    found = compared.found
    if found.differences:
        yield f"{compared.stage} is not made from the same as in {compared.run_id}"
        yield from (f"  {_words(one)}{_at(place)}" for one, place in zip(found.differences, compared.places, strict=True))
    elif found.waits:
        yield f"nothing is known to differ between {compared.stage} and that of {compared.run_id}"
    elif found.obstacle is not None:
        yield f"nothing differs, but {compared.stage} cannot be taken from {compared.run_id}: {found.obstacle}"
    else:
        yield f"nothing differs: {compared.stage} would be taken from {compared.run_id}"
    if found.waits:
        yield "more is known when these have run"
        yield from (f"  {name}, because {why}" for name, why in found.waits.items())
    if found.provided:
        yield "assumed, because it is not known here"
        yield from (f"  {assumed}" for assumed in found.provided)


def _words(difference: Difference) -> str:
    return f"{difference.text}, {difference.detail}" if difference.detail else difference.text


def _at(place: Place | None) -> str:
    return "" if place is None else f"  ({place})"
