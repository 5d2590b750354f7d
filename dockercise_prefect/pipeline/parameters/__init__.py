"""The parameters of a pipeline, their values, and how values are put into a pipeline."""
