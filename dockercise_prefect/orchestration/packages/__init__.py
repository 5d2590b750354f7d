"""Packages of stages, fetched from their images."""
