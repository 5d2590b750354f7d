"""The form in which people answer, as JSON Schema: Prefect's UI shows it, and `dockercise approve` fills it in.

Prefect keeps a form and its response with the flow run, under the keys that its Paused state names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from dockercise_prefect.orchestration.prefect.markdown import code, plain
from dockercise_prefect.orchestration.scheduling.approvals import Question
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.summary import ApprovalSummary

Verdict: TypeAlias = Literal["yes", "no"]

BY = "your name"
"""The field for the name of whoever answers. No stage has this name, because of its space."""

LONGEST_NAME = 100
"""How many characters the name may have."""

_PREFIX = "approval-"


@dataclass(frozen=True, slots=True)
class Form:
    """One form: it asks about some stages at once.

    Attributes:
        questions: one for each stage.
        pause_key: distinguishes the forms of one flow run.
    """

    questions: Sequence[Question]
    pause_key: str

    @property
    def keyset(self) -> dict[str, str]:
        """The keys of the parts of the form, as Prefect's state names them."""
        return {part: f"{_PREFIX}{self.pause_key}-{part}" for part in ("schema", "description", "response")}

    @property
    def schema(self) -> dict[str, Any]:
        """The fields: yes or no for each stage, and a name. Of several stages, some may be left for later."""
        names = [question.name for question in self.questions]
        fields = {
            question.name: {"title": question.name, "type": "string", "enum": ["yes", "no"], "position": number}
            for number, question in enumerate(self.questions)
        }
        name = {"title": "Your name", "type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "position": len(names)}
        return {
            "title": "Approval",
            "type": "object",
            "properties": {**fields, BY: name},
            "required": [*(names if len(names) == 1 else ()), BY],
            "additionalProperties": False,
        }

    @property
    def description(self) -> str:
        """The questions, as Markdown."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for question in self.questions:
            yield f"- {code(question.name)}: {plain(question.text)}"
        if len(self.questions) > 1:
            yield ""
            yield "What you leave empty is asked again."

    def answers(self, response: Mapping[str, Any], at: str) -> dict[StageName, ApprovalSummary]:
        """The answers of a response. Prefect has compared it with the schema.

        Args:
            response: the value of each field that was filled in.
            at: when it was given.
        """
        by = str(response.get(BY) or "")[:LONGEST_NAME].strip() or None
        found: dict[StageName, ApprovalSummary] = {}
        for question in self.questions:
            match response.get(question.name):
                case "yes":
                    found[question.name] = ApprovalSummary("yes", at, by)
                case "no":
                    found[question.name] = ApprovalSummary("no", at, by)
                case _:
                    continue
        return found


def asks_for_approval(keyset: Mapping[str, str] | None) -> bool:
    """Whether the form that a state names is one of ours."""
    return keyset is not None and keyset.get("schema", "").startswith(_PREFIX)


def stages_of(schema: Mapping[str, Any]) -> Collection[StageName]:
    """The stages that a form asks about, from its schema."""
    return [name for name in schema["properties"] if name != BY]


def response(stage: StageName, verdict: Verdict, by: str) -> dict[str, str]:
    """The response to a form, about one stage."""
    return {stage: verdict, BY: by[:LONGEST_NAME]}
