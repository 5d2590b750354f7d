"""Examines what runs depend on: the engine, Prefect, this machine, results and settings (`dockercise doctor`)."""
