"""The parameters of a pipeline, and their values. `pipeline.binding` puts the values into the pipeline."""
