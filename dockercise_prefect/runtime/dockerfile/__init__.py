"""Reads Dockerfiles and names of images. No effects."""
