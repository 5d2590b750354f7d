"""The process of one round of `watch`: it loads what a run needs, waits until it is told the arguments of `run`, and runs.

It is started before its round, so that nobody waits for the import of Prefect. If the process that watches dies before the
round, standard input ends, and this process ends too.
"""

from __future__ import annotations

import atexit
import json
import sys

from dockercise_prefect.signals import OF_THE_COMMAND, LastStep, leave_at_once


def main() -> None:
    """Wait for one line of JSON, a list of arguments, and do what the command `dockercise` does with them."""
    OF_THE_COMMAND.install()
    last = LastStep()
    atexit.register(last)

    from dockercise_prefect.cli import command
    from dockercise_prefect.cli.run import load_launch

    load_launch()
    line = sys.stdin.readline()
    if not line:
        return
    sys.argv[1:] = json.loads(line)
    status = command()
    leave_at_once(status)
    last.status = status
    raise SystemExit(status)


if __name__ == "__main__":
    main()
