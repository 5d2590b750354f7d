"""`python -m dockercise_prefect` is the command `dockercise`."""

import atexit

from dockercise_prefect.signals import OF_THE_COMMAND, LastStep, leave_at_once


def main() -> None:
    """Run the command that the process's arguments name, and exit with its status.

    Signals are heeded from the first line on: what the command needs takes its time to load.
    """
    OF_THE_COMMAND.install()
    last = LastStep()
    atexit.register(last)  # what is registered first is called last

    from dockercise_prefect.cli import command  # noqa: PLC0415  as above

    status = command()
    leave_at_once(status)
    last.status = status
    raise SystemExit(status)


if __name__ == "__main__":
    main()
