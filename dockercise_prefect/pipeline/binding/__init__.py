"""Puts the values of parameters into a pipeline. It is apart from `parameters` because it needs the whole model."""
