"""Follows a script in the order of its text, to find what it uses from outside."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from dockercise_prefect.compiler.shell import builtins, calculation
from dockercise_prefect.compiler.shell.expansions import DEEPEST, TooDeepError
from dockercise_prefect.compiler.shell.habits import is_script, readings, runs_stdin
from dockercise_prefect.compiler.shell.literals import Form, Literal, Reading, literal
from dockercise_prefect.compiler.shell.naming import Ignored, Mentions, Use
from dockercise_prefect.compiler.shell.scopes import Frame, Functions, Scope
from dockercise_prefect.compiler.shell.script import Script, read
from dockercise_prefect.compiler.shell.syntax import (
    Arithmetic,
    Assignment,
    Calculation,
    Command,
    Condition,
    Expansion,
    Function,
    Group,
    HereDocument,
    Pipeline,
    Redirection,
    Statement,
    Substitution,
    Word,
)

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

_SETTING = frozenset({"=", ":="})
_GUARDING = frozenset({":-", "-", ":=", "=", ":+", "+", ":?", "?"})
_PATTERNS = frozenset({"#", "##", "%", "%%", "/", "//", "^", "^^", ",", ",,", "@"})
_COMPARING = frozenset({"=", "==", "!=", "=~", "<", ">"})
_EMPTINESS = frozenset({"-n", "-z", "!"})
_NUMBERS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_FOLLOWED_SCRIPTS = 2
"""How many levels of scripts inside scripts (`sh -c`, `eval`) are followed."""


class Walk:
    """One script.

    Args:
        script: its text.
        folder: its working directory at the start; None if it is not known.
    """

    def __init__(self, script: str, folder: str | None) -> None:
        self._script: Script = read(script)
        self.found = Mentions(understood=self._script.understood, ignored=Ignored(script))
        self.functions = Functions()
        self._root = Frame()
        self._folder = folder
        self._inside = 0  # scripts inside scripts
        self._in_function = 0
        self._exported: dict[str, Use] = {}

    def mentions(self) -> Mentions:
        """What the script names."""
        scope = Scope(self._root, self._folder)
        self._statements(self._script.statements, scope)
        self.functions.finish(scope)
        handed_on = {name: use for name, use in self._exported.items() if name not in self.found.assigned}
        self.found.uses = {**handed_on, **self._root.uses}
        self.found.doubtful = {name: use for name, use in self._root.doubtful.items() if name not in self.found.uses}
        self.found.literals.sort(key=lambda text: text.position(0))
        return self.found

    # Variables

    def use(self, name: str, use: Use, scope: Scope) -> None:
        """Note that a variable's value is used."""
        if not self.found.is_ignored(use.start):
            scope.use(name, use)

    def assign(self, name: str, scope: Scope, *, local: bool = False) -> None:
        """Note that a variable is set."""
        self.found.assigned.add(name)
        scope.set(name, local=local and self._in_function > 0)

    def test(self, words: Sequence[Word | Assignment]) -> None:
        """Note the variables that the words of `test` or `[[ … ]]` check for existence."""
        for at, word in enumerate(words):
            if not isinstance(word, Word) or (at == 0 and len(words) > 1):
                continue
            operator = words[at - 1] if at else None
            if isinstance(operator, Word) and operator.bare == "-v":
                self.found.tested.add(word.bare)
            elif operator is None or (isinstance(operator, Word) and operator.bare in _EMPTINESS):
                self.found.tested.update(part.name for part in word.parts if isinstance(part, Expansion))

    def export(self, name: str, use: Use) -> None:
        """Note that a variable is passed on unchanged to commands. It counts as used unless the script sets it somewhere."""
        if not self.found.is_ignored(use.start):
            self._exported.setdefault(name, use)

    # Statements

    def _statements(self, statements: Iterable[Statement], scope: Scope, *, feeds: bool = False) -> None:
        for statement in statements:
            self._statement(statement, scope, feeds=feeds)

    def _statement(self, statement: Statement, scope: Scope, *, feeds: bool) -> None:
        match statement:
            case Command():
                self._command(statement, scope, feeds=feeds)
            case Pipeline(members):
                run = _reads_program(members)
                for index, member in enumerate(members):
                    self._statement(member, scope.inner(), feeds=feeds or index < run)
            case Group():
                self._group(statement, scope, feeds=feeds)
            case Calculation(expression):
                self.calculate(expression, scope)
            case Condition(words):
                self._condition(words, scope)
            case Function(name, body):
                self._function(name, body, scope)

    def _group(self, group: Group, scope: Scope, *, feeds: bool) -> None:
        for word in group.words or ():
            self._word(word, scope)
            if group.loops_over:
                self._text(literal(word), Reading(sure=True), scope)
        for pattern in group.patterns or ():
            self._word(pattern, scope)
        if group.loops_over:
            self.assign(group.loops_over, scope)
        self._statements(group.body, scope.inner() if group.own_process else scope, feeds=feeds)
        self._redirections(group.redirections, scope, Form.ASIDE)

    def _function(self, name: str, body: list[Statement], scope: Scope) -> None:
        frame = Frame()
        self._in_function += 1
        self._statements(body, Scope(frame, scope.folder))
        self._in_function -= 1
        self.functions.define(name, frame)

    def _condition(self, words: list[Word], scope: Scope) -> None:
        bare = [word.bare for word in words]
        self.test(words)
        for at, word in enumerate(words):
            self._word(word, scope)
            beside = {*bare[max(0, at - 1) : at], *bare[at + 1 : at + 2]}
            if not beside.isdisjoint(_NUMBERS) or bare[max(0, at - 1) : at] == ["-v"]:
                self.calculate(word, scope, expand=False)
            if beside.isdisjoint(_COMPARING):
                self._text(literal(word), Reading(sure=True, names=at > 0 and bare[at - 1] in _FILE_TESTS), scope)

    def _command(self, command: Command, scope: Scope, *, feeds: bool) -> None:
        for word in command.words:
            if isinstance(word, Assignment):
                self._values(word, scope)
            else:
                self._word(word, scope)
        for assignment in command.assignments:
            self._values(assignment, scope)
            self._text(literal(assignment), Reading(relative=False), scope)
            if command.words:
                self.found.lent.add(assignment.name)
            else:
                self._assignment(assignment, scope)
        texts = [literal(word) for word in command.words]
        name = texts[0].text if texts else ""
        if not texts:
            self._redirections(command.redirections, scope, Form.ASIDE)
            return
        for text, reading in zip(texts, readings([each.text for each in texts]), strict=True):
            is_run = feeds and reading is not None and reading.form is Form.ASIDE
            self._text(text, Reading(Form.TEXT) if is_run else reading, scope)
        self._redirections(command.redirections, scope, Form.TEXT if feeds or runs_stdin(name) else Form.ASIDE, name)
        self.functions.call(name, scope, inside=self._in_function > 0)
        builtins.apply(self, command.words, texts, scope)

    def _assignment(self, assignment: Assignment, scope: Scope) -> None:
        if assignment.appends and assignment.subscript is None:
            self.use(assignment.name, Use(assignment.name, assignment.start), scope)
        self.assign(assignment.name, scope)

    def _values(self, assignment: Assignment, scope: Scope) -> None:
        for value in assignment.values:
            self._word(value, scope)
        if assignment.subscript:
            self.calculate(assignment.subscript, scope)

    def _redirections(self, redirections: list[Redirection], scope: Scope, form: Form, name: str = "") -> None:
        files = [literal(each.target).text for each in redirections if each.operator in {">", ">>", ">|"}]
        for each in redirections:
            self._word(each.target, scope)
            if each.variable:
                self.assign(each.variable, scope)
            if each.document is not None:
                self._document(each.document, scope, form, name, files)
            elif each.operator == "<<<":
                self._text(literal(each.target), Reading(form), scope)
            else:
                self._text(literal(each.target), Reading(sure=True), scope)

    def _document(self, document: HereDocument, scope: Scope, form: Form, name: str, files: list[str]) -> None:
        self._word(document.body, scope)
        text = literal(document.body)
        if document.quoted and builtins.is_shell(name):
            self.script(text, scope.inner())
        elif text.text.startswith("#!") or any(is_script(file) for file in files):
            form = Form.TEXT
        self._text(text, Reading(form), scope)

    # Words

    def _word(self, word: Word, scope: Scope) -> None:
        """Follow the parts of a word other than its text."""
        for part in word.parts:
            match part:
                case Expansion():
                    self._expansion(part, scope)
                case Substitution(body):
                    self._statements(body, scope.inner())
                case Arithmetic(expression):
                    self.calculate(expression, scope)

    def _expansion(self, expansion: Expansion, scope: Scope) -> None:
        operator = expansion.operator
        if NAME.match(expansion.name):
            self.use(expansion.name, Use(expansion.written, expansion.start), scope)
        if operator in _GUARDING:
            self.found.tested.add(expansion.name)
        if expansion.subscript:
            self.calculate(expansion.subscript, scope)
        if expansion.word:
            if operator == ":":
                self.calculate(expansion.word, scope)
            else:
                self._word(expansion.word, scope)
                if operator not in _PATTERNS:
                    self._text(literal(expansion.word), Reading(), scope)
        if operator in _SETTING:
            self.assign(expansion.name, scope)

    def calculate(self, expression: Word, scope: Scope, *, expand: bool = True) -> None:
        """Follow an arithmetic expression, in which names are variables."""
        if expand:
            self._word(expression, scope)
        text = literal(expression)
        for found in calculation.variables(text.text):
            if found.is_used:
                self.use(found.name, Use(found.name, text.position(found.start)), scope)
            if found.is_set:
                self.assign(found.name, scope)

    def _text(self, text: Literal, reading: Reading | None, scope: Scope) -> None:
        """Follow a text that may contain paths, or variables in the syntax of other languages."""
        for match in calculation.NAMED_ELSEWHERE.finditer(text.text) if len(text.text) > calculation.SHORTEST else ():
            name = next(name for name in match.groups() if name)
            self.use(name, Use(name, text.position(match.start(match.lastindex or 0))), scope)
        if reading is None:
            return
        if "/" in text.text or (text.text and (reading.names or scope.folder == "/out")):
            self.found.literals.append(Literal(text.text, text.pieces, reading, scope.folder))

    # Scripts inside the script

    def script(self, text: Literal, scope: Scope) -> None:
        """Follow a text that is itself a script, run in this scope."""
        if self._inside >= _FOLLOWED_SCRIPTS:
            return
        self._inside += 1
        try:
            inner = read(text.text, text.positions(), DEEPEST // 2 * self._inside)
            self._statements(inner.statements, scope)
        except TooDeepError:
            self.found.understood = False
        self._inside -= 1

    def deferred(self, text: Literal, scope: Scope) -> None:
        """Follow a script that runs later (`trap`). What it uses counts unless this script sets it somewhere."""
        frame = Frame()
        self.script(text, Scope(frame, scope.folder))
        for name, use in {**frame.doubtful, **frame.uses}.items():
            self.export(name, use)

    def make(self, text: Literal, scope: Scope) -> None:
        """Note a folder that the script makes."""
        path = text.text
        if not path.startswith("/") and scope.folder is None:
            return
        whole = posixpath.normpath(posixpath.join(scope.folder or "/", path))
        parts = whole.strip("/").split("/")
        if path.startswith("/") and len(parts) > 1 and parts[0] != "out":
            return  # a folder below an existing one
        self.found.made.setdefault("/" + "/".join(parts[: 2 if parts[0] == "out" else 1]), text.position(0))


_FILE_TESTS = frozenset("-a -b -c -d -e -f -h -k -p -r -s -u -w -x -L -N -O -G -S".split())  # noqa: SIM905  a table


def _reads_program(members: list[Statement]) -> int:
    """Index of the last member of a pipeline that runs what it reads; 0 if no member does."""
    found = 0
    for index, member in enumerate(members):
        if isinstance(member, Command) and member.words:
            words = [literal(word).text for word in member.words[:_RUNNER_WORDS]]
            if any(runs_stdin(word) for word in words):
                found = index
    return found


_RUNNER_WORDS = 6
