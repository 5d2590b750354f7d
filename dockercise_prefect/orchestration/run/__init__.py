"""One run of a pipeline, from its targets to its report."""
