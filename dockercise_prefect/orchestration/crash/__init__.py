"""Finds runs whose processes have died, and ends them: on the engine, in the records, in Prefect (docs/adr/0033)."""
