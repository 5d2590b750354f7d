"""The kinds of findings: each has a code that never changes, so that people can search for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """A kind of finding; `meaning` says in one line what is wrong. `docs/language.md` lists them."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make a text with the code as its value and the meaning as an attribute."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    UNREADABLE = "DK001", "a file or a folder cannot be read"
    NOT_TEXT = "DK002", "a file is not plain UTF-8 text"
    NOT_YAML = "DK003", "a file is not valid YAML"
    SECOND_DOCUMENT = "DK004", "a file contains more than one YAML document"
    TOO_BIG = "DK005", "a document is too big, nested too deeply, or grows too big when its aliases are followed"
    NOT_PLAIN = "DK006", "a tag, a key that is not a string, or a character that is not allowed"
    KEY_TWICE = "DK007", "a key appears twice in one mapping"
    NO_STAGES = "DK008", "the top level of a file is not a mapping"
    BAD_MERGE = "DK009", "`<<` merges something that is not a mapping"
    STAGE_TWICE = "DK010", "a stage is defined twice"
    META_CONFLICT = "DK011", "a setting of `meta` has two different values"
    STAGE_NAME = "DK012", "a stage's name is not allowed"
    PIPELINE_NAME = "DK013", "the pipeline's name is not allowed"
    GIT_SILENT = "DK014", "warning: git could not say which files it ignores"
    FOREIGN = "DK015", "a file was written for another program: nothing in it is a stage"
    NOT_A_STAGE = "DK020", "a stage, or `meta`, is not a mapping"
    UNKNOWN_KEY = "DK021", "an unknown key"
    NOT_SUPPORTED = "DK022", "a key that is not supported yet"
    WRONG_TYPE = "DK023", "a value is of the wrong type"
    WRONG_VALUE = "DK024", "a value is not valid"
    NOTHING_TO_RUN_IN = "DK025", "a script without an image to run it in"
    NO_EFFECT = "DK026", "warning: a key has no effect in a stage that starts no container"
    IMAGE_AND_BUILD = "DK027", "a stage has an image and builds one"
    NO_IMAGE_LEFT = "DK028", "`img` names a stage that leaves no image"
    UNKNOWN_STAGE = "DK031", "a name that is not a stage"
    WRONG_MOUNT = "DK032", "an entry of `vol` is not valid"
    MOUNT_TWICE = "DK033", "two mounts use the same path, or a mount uses a reserved path"
    VARIABLE_TWICE = "DK034", "a variable has two sources in one stage"
    VARIABLE_TAKEN = "DK035", "the variable of a stage's value has a name that is reserved or not valid"
    LOOKS_LIKE_STAGE = "DK036", "a variable from outside has the name of a stage's variable"
    VARIABLE_NAME = "DK037", "a name that is not a valid variable name"
    CYCLE = "DK038", "stages wait for each other in a cycle"
    LEFT_OUT = "DK039", "warning: a possible reference of a script is left out, because it would create a cycle"
    UNKNOWN_TARGET = "DK040", "a target that is not a stage"
    NOT_UNDERSTOOD = "DK041", "warning: a script cannot be read as shell, so references to other stages may be wrong or missed"
    SEVERAL_STAGES = "DK042", "warning: a script uses a variable that could be the value of several stages"
    UNKNOWN_SECRET = "DK043", "warning: `meta.secrets` names a variable that no stage has"
    NOT_MOUNTED = "DK044", "warning: a script names a stage's folder, but nothing is mounted there"
    MAY_BE_SET = "DK045", "warning: a script uses a stage's variable after it sources a file that may set it"
    MISSPELT = "DK046", "warning: a script uses a variable that nothing sets and whose name is close to a stage's variable"
    NEARLY_A_STAGE = "DK047", "warning: `vol` mounts a folder or a volume of the engine whose name is close to a stage's"
    NOT_REUSABLE = "DK048", "a stage with `cache` cannot be reused"
    UNSET = "DK050", "before a run: a variable from outside has no value"
    UNFIT = "DK051", "before a run: a value from outside cannot be a variable"
    ENV_FILE = "DK052", "before a run: a line of an `--env-file` is not valid"
    NO_FOLDER = "DK053", "before a run: a folder below the root cannot be mounted"
    PACKAGE_MISSING = "DK060", "a package is not available"
    PACKAGE_BROKEN = "DK061", "a package did not print a document"
    PACKAGE_UNREAD = "DK062", "warning: a package was not read"
    HOST_PATH = "DK070", "not trusted: a folder of the engine's machine is mounted"
    ENGINE_VOLUME = "DK071", "not trusted: a volume of the engine is mounted"
    HOST_NETWORK = "DK072", "not trusted: a stage uses the network of the engine's machine"
    ROOT_USER = "DK073", "not trusted: a stage runs as root"
    BUILDS_IMAGE = "DK074", "not trusted: a stage builds an image"
    ABOVE_LIMIT = "DK075", "not trusted: `cpus`, `memory`, `timeout`, `retries` or a grace period is above the limit"
    TOO_MANY_STAGES = "DK076", "not trusted: more stages would run than are allowed"
    PACKAGE_REFUSED = "DK077", "not trusted: the pipeline uses a package"
    GAINS_RIGHTS = "DK078", "not trusted: programs of a stage may gain rights"
    TWO_PROGRAMS = "DK098", "a stage has an `entrypoint` and a `shell`"
    IGNORES_NOTHING = "DK100", "lint: a comment ignores something that is not a lint rule"
    RUNS_ON_NO_PUSH = "DK101", "lint: other stages have `triggers`, but this one never runs on a push"
    VALUE_IS_EMPTY = "DK102", "lint: `env` uses the value of a stage that prints nothing"
    AFTER_IS_IMPLIED = "DK103", "lint: `after` names a stage that this one already comes after"
    IMAGE_WITHOUT_TAG = "DK104", "lint: an image has neither a tag nor a digest"
    HIDES_IMAGE = "DK105", "lint: `img` names a stage, and a public image has the same name"
    WRITES_READ_ONLY = "DK106", "lint: `run` writes to a read-only mount"
    LOOKS_SECRET = "DK107", "lint: a string looks like a secret"
    NOTHING_SETS = "DK108", "lint: a script uses a variable that nothing sets"
    NEVER_TRIGGERS = "DK110", "lint: a glob of `triggers` can never match"
    STAYS_AS_WRITTEN = "DK111", "lint: a variable is written where nothing expands it"
    DOUBLES_THE_DOLLAR = "DK112", "lint: a script has `$$` before a name"
    SHEBANG_WITHOUT_EFFECT = "DK113", "lint: a script begins with a `#!` that has no effect"
    LEFT_OPEN = "DK114", "lint: a script does not close an `if`, a loop, a quote or a here-document"
    MISLEADING_NAME = "DK115", "lint: a name has a character that is invisible or looks like another"

    @property
    def is_lint_rule(self) -> bool:
        """Whether only `lint` looks for it, so that it can be switched off. These are the codes from DK100 on."""
        return self.value >= "DK100"
