"""Compiles a document into a `Pipeline`, or reports everything that is wrong with it."""

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
