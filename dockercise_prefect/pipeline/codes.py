"""The kinds of findings: each has a code that never changes, so that people can search for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """A kind of finding; `meaning` says in one line what is wrong. `docs/language.md` lists them."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """A text that is its code and knows its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    UNREADABLE = "DK001", "a file or a folder cannot be read"
    NOT_TEXT = "DK002", "a file is not plain UTF-8 text"
    NOT_YAML = "DK003", "a file is not valid YAML"
    SECOND_DOCUMENT = "DK004", "a file holds more than one YAML document"
    TOO_BIG = "DK005", "a document is too big, nested too deep, or grows too big when its aliases are followed"
    NOT_PLAIN = "DK006", "a tag, a key that is no text, or a character that nothing can hold"
    KEY_TWICE = "DK007", "a key stands twice in one mapping"
    NO_STAGES = "DK008", "the top level of a file is no mapping"
    BAD_MERGE = "DK009", "`<<` merges something that is no mapping"
    STAGE_TWICE = "DK010", "a stage is defined twice"
    META_CONFLICT = "DK011", "a setting of `meta` has two different values"
    STAGE_NAME = "DK012", "a stage's name is not allowed"
    PIPELINE_NAME = "DK013", "the pipeline's name is not allowed"
    GIT_SILENT = "DK014", "warning: git could not be asked what it ignores"
    FOREIGN = "DK015", "a file was written for another program: nothing in it is a stage"
    NOT_A_STAGE = "DK020", "a stage, or `meta`, is no mapping"
    UNKNOWN_KEY = "DK021", "a key that there is not"
    NOT_SUPPORTED = "DK022", "something that is not supported yet"
    WRONG_TYPE = "DK023", "a value is of the wrong type"
    WRONG_VALUE = "DK024", "a value is not understood"
    NOTHING_TO_RUN_IN = "DK025", "a script without an image to run it in"
    NO_EFFECT = "DK026", "warning: a key has no effect in a stage that starts no container"
    IMAGE_AND_BUILD = "DK027", "a stage has an image and builds one"
    NO_IMAGE_LEFT = "DK028", "`img` names a stage that leaves no image"
    UNKNOWN_STAGE = "DK031", "a name that is no stage"
    WRONG_MOUNT = "DK032", "an entry of `vol` is not understood"
    MOUNT_TWICE = "DK033", "two things are mounted at one path, or something at a path that is taken"
    VARIABLE_TWICE = "DK034", "a variable has two sources in one stage"
    VARIABLE_TAKEN = "DK035", "a stage's value would land in a variable that is taken or cannot be"
    LOOKS_LIKE_STAGE = "DK036", "a variable from outside has the name of a stage's variable"
    VARIABLE_NAME = "DK037", "no name of a variable"
    CIRCLE = "DK038", "stages wait for each other in a circle"
    LEFT_OUT = "DK039", "warning: what a script may name is left out, because it would close a circle"
    UNKNOWN_TARGET = "DK040", "a target that is no stage"
    NOT_UNDERSTOOD = "DK041", "warning: a script does not fit the shell's grammar, so what it names may be found in part"
    SEVERAL_STAGES = "DK042", "warning: a script uses a variable that could be the value of several stages"
    UNKNOWN_SECRET = "DK043", "warning: `meta.secrets` names what is no variable of any stage"
    NOT_MOUNTED = "DK044", "warning: a script names a stage's folder, and nothing is mounted there"
    MAY_BE_SET = "DK045", "warning: a script uses a stage's variable behind a sourced file that may set it"
    MISSPELT = "DK046", "warning: a script uses a variable that nothing sets, and that is nearly a stage's"
    NEARLY_A_STAGE = "DK047", "warning: `vol` mounts a folder or a volume of the engine that has nearly the name of a stage"
    UNSET = "DK050", "before a run: a variable from outside is set nowhere"
    UNFIT = "DK051", "before a run: a value from outside cannot be a variable"
    ENV_FILE = "DK052", "before a run: a line of an `--env-file` is not understood"
    NO_FOLDER = "DK053", "before a run: a folder below the root cannot be mounted"
    PACKAGE_MISSING = "DK060", "a package could not be had"
    PACKAGE_BROKEN = "DK061", "a package did not print a document"
    PACKAGE_UNREAD = "DK062", "warning: a package was not read"
    HOST_PATH = "DK070", "not trusted: a folder of the engine's machine is mounted"
    ENGINE_VOLUME = "DK071", "not trusted: a volume of the engine's own is mounted"
    HOST_NETWORK = "DK072", "not trusted: `network` is that of the engine's machine"
    ROOT_USER = "DK073", "not trusted: `user` is root"
    BUILDS_IMAGE = "DK074", "not trusted: an image is built"
    ABOVE_LIMIT = "DK075", "not trusted: `cpus`, `memory` or `timeout` is above the limit"
    TOO_MANY_STAGES = "DK076", "not trusted: more stages would run than may"
    PACKAGE_REFUSED = "DK077", "not trusted: a package is named"
    IGNORES_NOTHING = "DK100", "lint: a comment ignores something that is no lint rule"
    RUNS_ON_NO_PUSH = "DK101", "lint: other stages have `triggers`, and this one runs on no push"
    VALUE_IS_EMPTY = "DK102", "lint: `env` asks for the value of a stage that prints nothing"
    AFTER_IS_IMPLIED = "DK103", "lint: `after` names a stage that this one comes after anyway"
    IMAGE_WITHOUT_TAG = "DK104", "lint: an image has neither a tag nor a digest"
    HIDES_IMAGE = "DK105", "lint: `img` names a stage, and a public image has the same name"
    WRITES_READ_ONLY = "DK106", "lint: `run` writes where a read-only mount is"
    LOOKS_SECRET = "DK107", "lint: a text looks like a secret"
    NOTHING_SETS = "DK108", "lint: a script uses a variable that nothing sets"
    NEVER_TRIGGERS = "DK110", "lint: a glob of `triggers` can never match"
    STAYS_AS_WRITTEN = "DK111", "lint: a text names a variable where nothing expands it"
    DOUBLES_THE_DOLLAR = "DK112", "lint: a script has `$$` before a name"
    SHEBANG_WITHOUT_EFFECT = "DK113", "lint: a script begins with a `#!` that has no effect"
    LEFT_OPEN = "DK114", "lint: a script ends inside an `if`, a loop, a quote or a here-document"
    MISLEADING_NAME = "DK115", "lint: a name has a character that looks like another, or like nothing"

    @property
    def is_lint_rule(self) -> bool:
        """Whether `lint` alone looks for it, and it can be switched off: the codes from DK100 on."""
        return self.value >= "DK100"
