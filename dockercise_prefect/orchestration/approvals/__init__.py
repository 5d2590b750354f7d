"""Asks people in Prefect whether stages may run, and takes their answers."""
