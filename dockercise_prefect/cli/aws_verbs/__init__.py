"""The verbs of the group `aws`."""
