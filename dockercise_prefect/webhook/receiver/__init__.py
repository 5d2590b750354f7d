"""The server that takes pushes, keeps them on disk, and turns them into runs."""
