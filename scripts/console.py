"""Output of the scripts: lines that say what is being done, and one form for messages about missing things."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable


class SetUpError(Exception):
    """Something is missing, and the script cannot provide it.

    Args:
        message: what is missing.
        next_step: what the user can do about it.
    """

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(f"{message}\n  next: {next_step}")


class NeedsRootError(SetUpError):
    """Only root can do this.

    Args:
        what: what needs root, for example `a second engine`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs root", "run this once as root")


def say(text: str) -> None:
    """Print what is being done now."""
    print(f"==> {text}", flush=True)


def run_script(script: Callable[[], None]) -> None:
    """Run a script's `main`. On a `SetUpError`, print it without a traceback and exit with status 2."""
    try:
        script()
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
