"""Test reports of stages: read from what a stage left, kept in the record, and compared from run to run."""
