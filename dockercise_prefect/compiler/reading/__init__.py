"""Reads the values of keys, with findings about what is wrong."""
