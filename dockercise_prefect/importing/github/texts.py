"""`${{ … }}` in texts and scripts: variables of a shell take its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dockercise_prefect.frontend.nodes import Node
from dockercise_prefect.importing.github.expressions import Expression, Literal, Name, SyntaxProblemError, parsed
from dockercise_prefect.importing.model import Outside
from dockercise_prefect.importing.names import variable_name
from dockercise_prefect.importing.notes import Notes, quoted

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_LONGEST_NAME = 40

_OF_GITHUB = {
    "sha": "DOCKERCISE_COMMIT",
    "ref": "GITHUB_REF",
    "ref_name": "GITHUB_REF_NAME",
    "head_ref": "DOCKERCISE_BRANCH",
    "event_name": "DOCKERCISE_EVENT",
    "repository": "GITHUB_REPOSITORY",
    "run_id": "DOCKERCISE_RUN_ID",
    "run_number": "DOCKERCISE_RUN_ID",
    "workspace": "OUT",
    "actor": "GITHUB_ACTOR",
    "server_url": "GITHUB_SERVER_URL",
    "api_url": "GITHUB_API_URL",
    "job": "DOCKERCISE_STAGE",
    "event.before": "DOCKERCISE_PREVIOUS",
    "event.head_commit.message": "DOCKERCISE_MESSAGE",
}
_OF_RUNNER = {"os": "Linux", "arch": "X64", "temp": "$RUNNER_TEMP", "tool_cache": "/opt", "name": "dockercise"}


@dataclass(slots=True)
class Texts:
    """Puts variables in place of the expressions of one job.

    Attributes:
        constants: values that are known now: `matrix.os`.
        outside: the variables that come from outside, by their names.
        steps: outputs of steps that are used: ids and names.
        needs: outputs of other jobs that are used.
        scripted: the ids of steps that have a script, and may have outputs.
        workflow: the name of the workflow.
    """

    notes: Notes
    constants: dict[str, str] = field(default_factory=dict)
    outside: dict[str, Outside] = field(default_factory=dict)
    steps: dict[tuple[str, str], str] = field(default_factory=dict)
    needs: dict[tuple[str, str], str] = field(default_factory=dict)
    scripted: set[str] = field(default_factory=set)
    workflow: str = ""

    def plain(self, text: str, at: Node) -> str:
        """A text with variables, as in double quotes."""
        return EXPRESSION.sub(lambda match: self._value(match[1], at), text)

    def script(self, text: str, at: Node) -> str:
        """A script with variables. In single quotes, which expand nothing, the quotes are interrupted."""
        found: list[str] = []
        end = 0
        quotes = _Quotes()
        for match in EXPRESSION.finditer(text):
            before = text[end : match.start()]
            quotes.pass_over(before)
            value = self._value(match[1], at)
            behind = text[match.end() : match.end() + 1]
            if value.startswith("$") and (behind.isalnum() or behind == "_"):
                value = "${" + value.removeprefix("$") + "}" if not value.startswith("${") else value
            end = match.end()
            if quotes.single and "$" in value:
                if before.endswith("'") and behind == "'":
                    before, value, end, quotes.single = before[:-1], f'"{value}"', end + 1, False
                else:
                    value = f"'\"{value}\"'"
            found += [before, value]
        return "".join([*found, text[end:]])

    def variable(self, expression: Expression) -> str | None:
        """What a shell knows an expression by, `$NAME` or a text; None if it knows it not."""
        match expression:
            case Literal(text):
                return text
            case Name(path):
                return self._named(path)
            case _:
                return None

    def _value(self, text: str, at: Node) -> str:
        try:
            found = self.variable(parsed(text))
        except SyntaxProblemError:
            found = None
        if found is not None:
            return found
        name = variable_name(re.sub(r"\W+", "_", text.strip()).strip("_"))[:_LONGEST_NAME]
        self.outside[name] = Outside(name)
        self.notes.changed(
            "expression", f"{quoted('${{' + text + '}}')} is not computed here: `{name}` has to come from outside", at
        )
        return f"${name}"

    def _named(self, path: tuple[str, ...]) -> str | None:  # noqa: PLR0911  one for each context
        whole = ".".join(path)
        if whole in self.constants:
            return self.constants[whole]
        of, rest = path[0], path[1:]
        if of == "inputs" or path[:3] == ("github", "event", "inputs"):
            return self._from_outside(variable_name(rest[-1]), optional=True) if rest else None
        if of in {"secrets", "vars"} and len(rest) == 1:
            return self._from_outside(rest[0], secret=of == "secrets")
        if of in {"steps", "needs"}:
            return self._output(of, rest)
        if of == "matrix" and rest:
            return f"${variable_name('_'.join(rest))}"
        if of == "env":
            return f"${rest[0]}" if len(rest) == 1 and re.fullmatch(r"[A-Za-z_]\w*", rest[0]) else None
        return self._of_the_run(of, ".".join(rest))

    def _of_the_run(self, of: str, name: str) -> str | None:
        """What GitHub says about the run, and the machine."""
        match of, name:
            case "github", "token":
                return self._from_outside("GITHUB_TOKEN", secret=True)
            case "github", "workflow":
                return self.workflow
            case "job", "status":
                return "$DOCKERCISE_STATUS"
            case "runner", _:
                return _OF_RUNNER.get(name)
            case _:
                return f"${_OF_GITHUB[name]}" if of == "github" and name in _OF_GITHUB else None

    def _output(self, of: str, rest: tuple[str, ...]) -> str | None:
        """`steps.ID.outputs.NAME` and `needs.JOB.outputs.NAME`."""
        if len(rest) != 3 or rest[1] != "outputs":  # noqa: PLR2004  id, `outputs`, name
            return None
        if of == "steps" and rest[0] in self.scripted:
            name = self.steps.setdefault((rest[0], rest[2]), variable_name(f"steps_{rest[0]}_{rest[2]}"))
        elif of == "needs":
            name = self.needs.setdefault((rest[0], rest[2]), variable_name(f"needs_{rest[0]}_{rest[2]}"))
        else:
            return None
        return f"${name}"

    def _from_outside(self, name: str, *, secret: bool = False, optional: bool = False) -> str:
        plain = name.upper()
        self.outside[plain] = Outside(plain, secret=secret, optional=optional)
        return f"${plain}"


class _Quotes:
    """Whether a place of a script is in single quotes. Comments and here-documents count as plain text."""

    def __init__(self) -> None:
        self.single = False
        self._double = False
        self._comment = False

    def pass_over(self, text: str) -> None:
        """Go on to the end of a text."""
        escaped = False
        before = " "
        for character in text:
            if escaped:
                escaped = False
            elif self._comment:
                self._comment = character != "\n"
            elif self.single:
                self.single = character != "'"
            elif character == "\\":
                escaped = True
            elif character == '"':
                self._double = not self._double
            elif character == "'" and not self._double:
                self.single = True
            elif character == "#" and not self._double and before.isspace():
                self._comment = True
            before = character
