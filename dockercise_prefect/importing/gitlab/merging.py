"""What the jobs of a file take over from each other: `extends`, `default`, and `!reference`."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence
from dockercise_prefect.importing.fields import Budget, flattened
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.reading import REFERENCE

_DEEPEST = 11
"""The most levels of `extends`, as in GitLab."""

_DEEPEST_REFERENCE = 10
"""The most levels of `!reference`, as in GitLab."""

OF_DEFAULT = (
    *("image", "services", "before_script", "after_script", "cache", "retry", "timeout", "tags", "interruptible", "artifacts"),
    *("id_tokens", "hooks"),
)
"""Keys that jobs without them take over from `default`, or from the top of the file."""


class Merger:
    """Gives each job all of its keys."""

    def __init__(self, root: Mapping, notes: Notes, budget: Budget) -> None:
        """Take the file, where to note what is missing, and the limit of what all jobs have together."""
        self._root = root
        self._notes = notes
        self._budget = budget
        self._default = root.by_key.get("default")

    def job(self, name: str) -> Mapping | None:
        """A job with everything that it takes over; None if it is not a mapping."""
        extended = self._extended(name, ())
        if extended is None:
            return None
        return self._followed(self._with_defaults(extended))

    def _extended(self, name: str, trail: tuple[str, ...]) -> Mapping | None:
        node = self._root.by_key.get(name)
        if not isinstance(node, Mapping):
            return None
        merged: Mapping | None = None
        for parent in flattened(node.by_key.get("extends")):
            text = parent.text if isinstance(parent, Scalar) else ""
            if text in (*trail, name) or len(trail) >= _DEEPEST:
                self._notes.left_out("extends", f"{quoted(text)} extends itself, or too many others", parent)
                continue
            base = self._extended(text, (*trail, name))
            if base is None:
                self._notes.left_out("extends", f"{quoted(text)} is not in this file", parent)
                continue
            merged = base if merged is None else self._merged(merged, base)
        return node if merged is None else self._merged(merged, node)

    def _merged(self, base: Mapping, over: Mapping) -> Mapping:
        """Both mappings; of a key in both, the second one wins, except that mappings are merged again."""
        entries = dict(base.by_text)
        self._budget.spend(len(entries), over)
        for text, (key, value) in over.by_text.items():
            known = entries.get(text)
            both = known is not None and isinstance(known[1], Mapping) and isinstance(value, Mapping)
            if known is not None and both and isinstance(known[1], Mapping) and isinstance(value, Mapping):
                entries[text] = key, self._merged(known[1], value)
            else:
                entries[text] = key, value
        return Mapping(over.path, over.mark, entries)

    def _with_defaults(self, job: Mapping) -> Mapping:
        inherit = job.by_key.get("inherit")
        choice = inherit.by_key.get("default") if isinstance(inherit, Mapping) else None
        if isinstance(choice, Scalar) and choice.text == "false":
            return job
        chosen = [each.text for each in flattened(choice) if isinstance(each, Scalar) and each.kind == "text"]
        default = self._default.by_text if isinstance(self._default, Mapping) else {}
        given = {
            key: entry
            for key in OF_DEFAULT
            for entry in [default.get(key) or self._root.by_text.get(key)]
            if entry is not None and (not chosen or key in chosen)
        }
        return Mapping(job.path, job.mark, {**given, **job.by_text})

    def _followed(self, job: Mapping) -> Mapping:
        """The job with what its references stand for."""
        return Mapping(job.path, job.mark, {text: (key, self._follow(value, 0)) for text, (key, value) in job.by_text.items()})

    def _follow(self, node: Node, depth: int) -> Node:
        self._budget.spend(1, node)
        if isinstance(node, Sequence):
            return Sequence(node.path, node.mark, tuple(self._follow(item, depth) for item in node.items))
        if not isinstance(node, Mapping):
            return node
        if list(node.by_text) != [REFERENCE]:
            return Mapping(
                node.path, node.mark, {text: (key, self._follow(value, depth)) for text, (key, value) in node.by_text.items()}
            )
        target = self._target(node.by_text[REFERENCE][1])
        if target is None or depth >= _DEEPEST_REFERENCE:
            path = [each.text for each in flattened(node.by_text[REFERENCE][1]) if isinstance(each, Scalar)]
            self._notes.left_out("!reference", f"{quoted(', '.join(path))} is not in this file", node)
            return Sequence(node.path, node.mark, ())
        return self._follow(target, depth + 1)

    def _target(self, path: Node) -> Node | None:
        node: Node | None = self._root
        for step in flattened(path):
            entries: MappingOf[str, tuple[Scalar, Node]] = node.by_text if isinstance(node, Mapping) else {}
            entry = entries.get(step.text) if isinstance(step, Scalar) else None
            node = None if entry is None else entry[1]
        return node
