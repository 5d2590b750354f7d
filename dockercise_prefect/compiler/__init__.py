"""From what was written to what is meant: a document to a `Pipeline`, or to all that is wrong with it."""

from dockercise_prefect.compiler.compile import Compiled, Part, check_part, compile_folder, compile_sources

__all__ = ["Compiled", "Part", "check_part", "compile_folder", "compile_sources"]
