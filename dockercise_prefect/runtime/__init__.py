"""One stage in one container. Knows no Prefect."""
