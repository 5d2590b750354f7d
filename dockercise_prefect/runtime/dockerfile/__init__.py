"""Reads Dockerfiles and names of images. Has no side effects."""
