"""`python -m dockercise_prefect` is the command `dockercise`."""

from dockercise_prefect.cli import main

main()
