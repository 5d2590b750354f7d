"""The steps of a job: one script, with what other jobs get of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar
from dockercise_prefect.importing.circleci.parameters import defaults_of, substituted
from dockercise_prefect.importing.fields import Budget, Fields
from dockercise_prefect.importing.literals import is_secret
from dockercise_prefect.importing.model import Status, Variable
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import own_shell

_DEEPEST = 10
"""The most levels of commands that use commands."""

_READ_ENVIRONMENT = '. "$BASH_ENV"'

_KEPT = "write `vol: name:/path` for a folder that the engine keeps, or `cache: true` for a stage that is reused"

_LEFT_OUT = {
    "save_cache": _KEPT,
    "restore_cache": _KEPT,
    "setup_remote_docker": "`build` builds images; scripts have no Docker",
    "add_ssh_keys": "pass the key from outside, as a variable, and write it to a file in the script",
    "deploy": "",
}


@dataclass(slots=True)
class Steps:
    """What the steps of one job are.

    Attributes:
        parts: the parts of the script, each with the status after which it runs.
        checks_out: whether the code is there.
        persisted: folders and the paths in them that other jobs get.
        attached: the folder for the files of other jobs.
        reports: folders of test reports.
        env: variables of steps that look like secrets: all steps have them, from outside.
    """

    parts: dict[Status, list[str]] = field(default_factory=dict)
    checks_out: bool = False
    persisted: list[tuple[str, list[str]]] = field(default_factory=list)
    attached: str | None = None
    reports: list[str] = field(default_factory=list)
    env: list[Variable] = field(default_factory=list)


class StepReader:
    """Reads the steps of one job."""

    def __init__(self, commands: MappingOf[str, Node], notes: Notes, budget: Budget) -> None:
        """Take the commands of the file, and where to note what is left out."""
        self._commands = commands
        self._notes = notes
        self._budget = budget
        self.found = Steps()

    def read(self, nodes: list[Node], depth: int = 0) -> None:
        """Read steps, and the steps of the commands that they use."""
        for node in nodes:
            self._budget.spend(1, node)
            if isinstance(node, Scalar):
                self._step(node.text, node, node, depth)
            elif isinstance(node, Mapping):
                for key, value in node:
                    self._step(key.text, value, key, depth)
            else:
                self._notes.left_out("step", "it should be a string or a mapping", node)

    def _step(self, name: str, value: Node, at: Node, depth: int) -> None:
        read = {
            "run": self._run,
            "checkout": self._checkout,
            "persist_to_workspace": self._persist,
            "attach_workspace": self._attach,
            "store_artifacts": self._store,
            "store_test_results": self._report,
        }.get(name)
        if name in self._commands:
            self._command(name, value, at, depth)
        elif read is not None:
            read(value, at)
        elif name in {"when", "unless"}:
            self._notes.changed(f"step {name}", "its steps are always run: write an `if` in the script", at)
            self.read(Fields(value, self._notes).nodes("steps"), depth + 1) if depth < _DEEPEST else None
        else:
            self.found.checks_out |= name == "restore_cache"
            why = _LEFT_OUT.get(
                name, "what an orb does has to be written as a script" if "/" in name else "there is no such step"
            )
            self._notes.left_out(f"step {name}", why, at)

    def _command(self, name: str, value: Node, at: Node, depth: int) -> None:
        command = self._commands[name]
        if depth >= _DEEPEST or not isinstance(command, Mapping):
            self._notes.left_out(f"step {name}", "commands use each other too often", at)
            return
        given = value.by_key if isinstance(value, Mapping) else {}
        values = {**defaults_of(command.by_key.get("parameters")), **given}
        fields = Fields(substituted(command, values, "parameters", self._budget), self._notes)
        self.read(fields.nodes("steps"), depth + 1)

    def _checkout(self, _value: Node, _at: Node) -> None:
        self.found.checks_out = True

    def _run(self, value: Node, at: Node) -> None:
        if isinstance(value, Scalar):
            self._add("success", value.text, [], at)
            return
        fields = Fields(value, self._notes, "run: ")
        command = fields.text("command") or ""
        before = [f"# {name}" for name in [fields.text("name")] if name and "\n" not in name]
        folder = fields.text("working_directory")
        lines = [f"cd {folder}"] if folder else []
        for key, each in fields.mapping("environment") or ():
            if isinstance(each, Scalar) and is_secret(key.text, each.text):
                self.found.env.append(Variable(key.text, each.text, key.place))
            elif isinstance(each, Scalar):
                lines.append(f'export {key.text}="{_escaped(each.text)}"')
        status: Status = {"on_fail": "failure", "always": "always"}.get(fields.text("when") or "", "success")  # type: ignore[assignment]
        shell = fields.text("shell")
        if shell and not re.search(r"\b(?:ba)?sh\b", shell):
            self._notes.left_out("run: shell", f"{quoted(shell)} is not what runs this script now", at)
        background = fields.is_true("background")
        fields.leave_rest({}, frozenset({"no_output_timeout"}))
        if background:
            command = f"(\n{command}\n) &"
        self._add(status, command, lines, at, before)

    def _add(self, status: Status, command: str, lines: list[str], at: Node, before: list[str] | None = None) -> None:
        self._budget.spend(len(command), at)
        parts = self.found.parts.setdefault(status, [])
        parts += before or []
        parts.append(own_shell(command, lines))
        if "BASH_ENV" in command:
            parts.append(_READ_ENVIRONMENT)

    def _persist(self, value: Node, _at: Node) -> None:
        fields = Fields(value, self._notes, "persist_to_workspace: ")
        self.found.persisted.append((fields.text("root") or ".", fields.texts("paths")))
        fields.leave_rest({})

    def _attach(self, value: Node, _at: Node) -> None:
        self.found.attached = Fields(value, self._notes).text("at") or "."

    def _store(self, value: Node, at: Node) -> None:
        path = Fields(value, self._notes).text("path") or (value.text if isinstance(value, Scalar) else ".")
        if path.startswith(("/", "~", "$")):
            self._notes.left_out("store_artifacts", f"copy {quoted(path)} to `$OUT` in the script: what is there is kept", at)
        else:
            self._notes.kept("store_artifacts", "all files that the stage leaves are kept", at)

    def _report(self, value: Node, at: Node) -> None:
        path = Fields(value, self._notes).text("path") or ""
        if path.startswith(("/", "~", "$")) or not path:
            self._notes.left_out("store_test_results", f"copy {quoted(path)} to `$OUT` in the script first", at)
        else:
            self.found.reports.append(path if path.endswith(".xml") else f"{path.removeprefix('./').rstrip('/')}/**/*.xml")


def _escaped(text: str) -> str:
    return re.sub(r'(["`\\])', r"\\\1", text)
