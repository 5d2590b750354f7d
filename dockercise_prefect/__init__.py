"""Container pipelines in YAML, compiled to Prefect flows."""
