"""The Docker engine. Only this package imports Docker's SDK."""
