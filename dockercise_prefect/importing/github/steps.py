"""The steps of one job as one script, and the steps after a failure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar
from dockercise_prefect.importing.assembling import folder_of
from dockercise_prefect.importing.conditions import ALWAYS, NEVER, Condition, wanted
from dockercise_prefect.importing.fields import Budget, Fields
from dockercise_prefect.importing.github.actions import CACHES, COMMANDS, SETUPS, WITHOUT_EFFECT, version_tag
from dockercise_prefect.importing.github.conditions import read_if
from dockercise_prefect.importing.github.texts import Texts
from dockercise_prefect.importing.literals import is_secret
from dockercise_prefect.importing.model import Status, Variable
from dockercise_prefect.importing.names import variable_name
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import joined, own_shell

_NOT_HERE = re.compile(r"pwsh|powershell|cmd")
_READ_ENVIRONMENT = 'while IFS= read -r line; do export "$line"; done < "$GITHUB_ENV"; : > "$GITHUB_ENV"'
_READ_PATH = 'PATH="$(paste -s -d : "$GITHUB_PATH"):$PATH"'
_FETCHED = "fetch-depth"
_KNOWN = WITHOUT_EFFECT | SETUPS.keys() | COMMANDS.keys() | {"actions/upload-artifact", "actions/download-artifact"}


@dataclass(slots=True)
class Steps:
    """What the steps of a job are.

    Attributes:
        parts: the parts of the script, by the outcome after which they run.
        image: an image that has what the steps set up.
        checks_out: whether the code is there.
        depth: how many commits it has, if the step says so.
        files: jobs whose files the steps use.
        env: variables of steps that look like secrets: all steps have them, from outside.
        pipefail: whether a step asks for bash with `pipefail`.
    """

    parts: dict[Status, list[str]] = field(default_factory=dict)
    image: str | None = None
    checks_out: bool = False
    depth: int | None = None
    files: list[str] = field(default_factory=list)
    env: list[Variable] = field(default_factory=list)
    pipefail: bool = False


class StepReader:
    """Reads the steps of one job."""

    def __init__(self, texts: Texts, notes: Notes, budget: Budget, uploads: dict[str, tuple[str, str]], job: str) -> None:
        """Take what stands for expressions, and the artifacts of all jobs: the job and the path of each name."""
        self._texts = texts
        self._notes = notes
        self._budget = budget
        self._uploads = uploads
        self._job = job
        self.found = Steps()

    def read(self, nodes: list[Node], folder: str | None, shell: str | None) -> None:
        """Read all steps.

        Args:
            nodes: the steps.
            folder: the folder in which scripts run unless a step says another one.
            shell: the shell of scripts, likewise.
        """
        fields = [Fields(node if isinstance(node, Mapping) else None, self._notes, "step: ") for node in nodes]
        self._texts.scripted |= {identity for each in fields if "run" in each and (identity := each.text("id"))}
        for node, step in zip(nodes, fields, strict=True):
            self._budget.spend(1, node)
            if step.node is None:
                self._notes.left_out("step", "it should be a mapping", node)
                continue
            when = read_if(step.text("if"), self._texts, node)
            if when.condition == NEVER:
                self._notes.left_out("step", f"it never runs here: {quoted(step.text('if') or '')}", node)
                continue
            script = self._script(step, node, folder, shell) if "run" in step else self._action(step, node)
            self._add(when.status, self._guarded(script, when.condition, step, node), step, node)
            step.leave_rest({}, frozenset({"name", "id", "with", "env", "timeout-minutes", "working-directory", "shell"}))

    def _add(self, status: Status, script: str, step: Fields, _node: Node) -> None:
        parts = self.found.parts.setdefault(status, [])
        name = step.text("name")
        if script and name and "\n" not in name:
            parts.append(f"# {self._texts.plain(name, _node)}" if "${{" in name else f"# {name}")
        parts.append(script)
        if script and "GITHUB_ENV" in script:
            parts.append(_READ_ENVIRONMENT)
        if script and "GITHUB_PATH" in script:
            parts.append(_READ_PATH)
        identity = step.text("id")
        if identity is not None and "run" in step:
            parts.append(f"\0{identity}\0")

    def outputs(self, script: str) -> str:
        """The script with the outputs of steps that are used, each as a variable."""

        def lines(match: re.Match[str]) -> str:
            used = [(name, variable) for (step, name), variable in self._texts.steps.items() if step == match[1]]
            return "\n".join(f'export {variable}="$({_last_of(name, _OUTPUT)})"' for name, variable in used)

        return re.sub(r"\0([^\0/]*)\0(?=\n|\Z)", lines, script)

    def _script(self, step: Fields, node: Node, folder: str | None, shell: str | None) -> str:
        command = step.text("run") or ""
        self._budget.spend(len(command), node)
        shell = step.text("shell") or shell or ""
        if _NOT_HERE.match(shell):
            self._notes.left_out(
                "step", f"its shell is {quoted(shell)}, which images of Linux do not have: {quoted(command)}", node
            )
            return ""
        self.found.pipefail |= shell.startswith("bash")
        folder = step.text("working-directory") or folder
        lines = [f"cd {self._texts.plain(folder, node)}"] if folder and folder not in {".", "./"} else []
        for key, value in step.mapping("env") or ():
            if isinstance(value, Scalar) and is_secret(key.text, value.text):
                self.found.env.append(Variable(key.text, value.text, key.place))
            elif isinstance(value, Scalar):
                text = re.sub(r'(["`\\])', r"\\\1", self._texts.plain(value.text, value))
                lines += [] if text == f"${key.text}" else [f'export {key.text}="{text}"']
        if shell.startswith("python"):
            command = f"python3 - <<'END_OF_PYTHON'\n{command.rstrip()}\nEND_OF_PYTHON"
        return own_shell(self._texts.script(command, node), lines)

    def _guarded(self, script: str, condition: Condition, step: Fields, node: Node) -> str:
        if condition == ALWAYS or not script:
            return script
        asked = wanted(condition)
        test = asked.script()
        if test is None:
            name = variable_name(f"run_{step.text('name') or step.text('id') or 'step'}")[:40]
            self._notes.changed(
                "step: if", f"{quoted(step.text('if') or '')} cannot be said here: it runs if `{name}` is `true`", node
            )
            test = f'[ "${{{name}:-}}" = true ]'
        return f"if {test}; then\n{script}\nfi"

    def _action(self, step: Fields, node: Node) -> str:
        uses = step.text("uses") or ""
        name, _, ref = uses.partition("@")
        inputs = step.mapping("with")
        if name in CACHES:
            self._notes.left_out(uses, "write `vol: name:/path` for a folder that is kept on the engine", node)
            return ""
        if name not in _KNOWN:
            keys = f" with {', '.join(map(quoted, inputs.by_text))}" if inputs else ""
            self._notes.left_out(uses or "step", f"actions do not run here{keys}: write what it does as commands", node)
            return ""
        given = {key.text: self._texts.plain(value.text, value) for key, value in inputs or () if isinstance(value, Scalar)}
        if name == "actions/checkout":
            self._checkout(given, node)
        elif name in SETUPS or name in COMMANDS:
            return self._setup(name, ref, given, node)
        elif name == "actions/upload-artifact":
            self._uploads[given.get("name") or "artifact"] = (self._job, given.get("path") or ".")
            self._notes.kept("upload-artifact", "all files that the stage leaves are kept, and other stages can use them", node)
        elif name == "actions/download-artifact":
            return self._download(given, node)
        return ""

    def _checkout(self, given: dict[str, str], node: Node) -> None:
        self.found.checks_out = True
        depth = given.get(_FETCHED, "")
        if depth.isascii() and depth.isdecimal() and len(depth) < 7:  # noqa: PLR2004  the most commits
            self.found.depth = int(depth)
        for key in ("repository", "path", "submodules", "lfs"):
            if given.get(key) not in {None, "false"}:
                self._notes.left_out(
                    f"checkout: {key}", "the code is this repository, at the top, with submodules as plain files", node
                )
        ref = given.get("ref")
        if ref:
            self._notes.changed("checkout: ref", f"the code is that of the run, not {quoted(ref)}", node)

    def _setup(self, name: str, ref: str, given: dict[str, str], node: Node) -> str:
        setup = SETUPS.get(name)
        if setup is not None:
            version = version_tag(given.get(setup.key, "").splitlines()[0] if given.get(setup.key) else "", setup.default)
            image = setup.image.format(version)
            if self.found.image not in {None, image}:
                self._notes.left_out(
                    name, f"a stage has one image, `{self.found.image}`: make one that also has `{image}`", node
                )
            else:
                self.found.image = image
        return COMMANDS[name](ref, given) if name in COMMANDS else ""

    def _download(self, given: dict[str, str], node: Node) -> str:
        wanted_name = given.get("name")
        chosen = [wanted_name] if wanted_name in self._uploads else list(self._uploads) if wanted_name is None else []
        if not chosen:
            self._notes.left_out(
                "download-artifact", f"no job of this file before it uploads {quoted(wanted_name or '')}", node
            )
            return ""
        target = given.get("path") or "."
        lines: list[str] = []
        for name in chosen:
            job, path = self._uploads[name]
            if job == self._job:
                continue
            self.found.files.append(job)
            own = f"{target}/{name}" if wanted_name is None and len(chosen) > 1 else target
            lines += _copies(folder_of(job), path, own)
        return joined(lines)


_OUTPUT = '"$GITHUB_OUTPUT"'


def _last_of(name: str, file: str) -> str:
    return f"sed -n 's/^{re.sub(r'[^A-Za-z0-9_-]', '.', name)}=//p' {file} | tail -n 1"


def output_of(job: str, name: str) -> str:
    """A command that prints an output of another job."""
    return _last_of(name, f"{folder_of(job)}/.outputs")


def _copies(folder: str, paths: str, target: str) -> list[str]:
    """Lines that copy what a job uploaded: the content of a folder, or files."""
    lines = []
    for path in paths.split():
        plain = path.removeprefix("./").rstrip("/").removesuffix("/**/*").removesuffix("/**").removesuffix("/*") or "."
        if path.startswith(("!", "/", "~", "$")):
            continue
        is_file = "*" in plain or "." in plain.rpartition("/")[2].lstrip(".")
        lines.append(f"cp -R {folder}/{plain}{'' if is_file else '/.'} {target}/")
    return [f"mkdir -p {target}", *lines] if target not in {".", "./"} else lines
