"""Makes a pipeline of a file of another system: a draft, in which comments say what is not as it was."""

from dockercise_prefect.importing.importer import Draft, imported
from dockercise_prefect.importing.kinds import Kind
from dockercise_prefect.importing.notes import Note, Outcome

__all__ = ["Draft", "Kind", "Note", "Outcome", "imported"]
