"""Permanent pages about runs. Each page is a single file without dependencies, on disk and in a bucket."""
