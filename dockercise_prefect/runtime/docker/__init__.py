"""The Docker engine; the only importer of its SDK."""
