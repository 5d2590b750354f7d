"""Pages about runs that last: each is one file that needs nothing else, on disk and in a bucket."""
