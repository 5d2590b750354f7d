"""Ends the records of runs whose processes died, and removes records that are not wanted any more."""
