"""The commands of `dockercise aws`."""
