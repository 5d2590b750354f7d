"""Shows the records of a bucket in a browser, from a server on this machine."""
