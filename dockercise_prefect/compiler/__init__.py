"""From what was written to what is meant: a document to a `Pipeline`, or to all that is wrong with it."""

from dockercise_prefect.compiler.compile import (
    Compiled,
    Origin,
    Part,
    check_part,
    compile_folder,
    compile_sources,
    compile_with_origin,
)

__all__ = ["Compiled", "Origin", "Part", "check_part", "compile_folder", "compile_sources", "compile_with_origin"]
