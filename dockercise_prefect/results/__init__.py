"""Stores and reads the results of runs. They are never public."""
