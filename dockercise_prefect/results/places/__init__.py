"""Where records are kept: folders and buckets."""
