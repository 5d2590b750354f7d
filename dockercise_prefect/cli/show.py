"""`show`: shows how a run went."""

from __future__ import annotations

import json
from typing import Any

import click

from dockercise_prefect.cli.completion import complete_runs
from dockercise_prefect.cli.record_options import takes_records
from dockercise_prefect.pipeline import StageName, parameter_values
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import UNFINISHED
from dockercise_prefect.results.reading.run_view import RunView, look
from dockercise_prefect.results.record.file_names import OUTPUTS, REPORT
from dockercise_prefect.results.summary import RunSummary

_PARTS = {"report": REPORT, "outputs": OUTPUTS}


@click.command
@click.argument("run", shell_complete=complete_runs)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on stdout.")
@takes_records
def show(records: Records, run: str, *, as_json: bool) -> None:
    """Show how RUN went: each stage, the critical path, and where the results are.

    RUN is a run id, the beginning of one, or `last`: the last run of the pipeline in this folder, or of any pipeline if this
    folder has none. The exit status is 0 however the run ended.
    """
    from dockercise_prefect.cli.present.printing import marks, print_lines
    from dockercise_prefect.cli.present.records import run_lines

    found = records.find(run)
    view = look(found)
    parts = {what: name for what, name in _PARTS.items() if found.has(name)}
    if as_json:
        click.echo(json.dumps(_to_json(view, {what: found.link(name) for what, name in parts.items()}), indent=2))
    else:
        print_lines(run_lines(view, [(what, found.link(name)) for what, name in parts.items()], marks()))


def _to_json(view: RunView, links: dict[str, str]) -> dict[str, Any]:
    summary = view.summary.to_json() if view.summary else _unfinished(view.run)
    stages = {stage.name: _stage(view, stage.name) for stage in view.pipeline}
    values = parameter_values(view.pipeline)
    more = {
        **({"parameters": values} if values else {}),
        "critical_path": list(view.critical_path),
        "links": links,
        "problems": list(view.problems),
    }
    return {**summary, "results": view.run.url, "stages": stages, **more}


def _unfinished(run: RecordedRun) -> dict[str, Any]:
    return dict.fromkeys(RunSummary.__dataclass_fields__) | {
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "status": UNFINISHED,
        "started": run.began.isoformat(),
    }


def _stage(view: RunView, name: StageName) -> dict[str, Any]:
    summary = view.stages.get(name)
    return {**(summary.to_json() if summary else {"status": "waiting"}), "needs": list(view.needs[name])}
