"""Packages: images that print a document of stages, made and run."""
