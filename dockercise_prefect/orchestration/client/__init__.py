"""How this process talks to Prefect beside the engine of a flow run."""
