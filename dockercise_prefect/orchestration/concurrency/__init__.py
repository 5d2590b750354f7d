"""Lets stages of one group run one after another, over all runs and machines."""
