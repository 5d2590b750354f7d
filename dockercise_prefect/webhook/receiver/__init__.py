"""The server that receives pushes, stores them on disk, and turns them into runs."""
