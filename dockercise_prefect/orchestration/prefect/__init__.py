"""Prefect's server and its records: flow runs, blocks, logs."""
