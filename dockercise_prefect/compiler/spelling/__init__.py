"""Finds what was probably meant by an unknown name."""
