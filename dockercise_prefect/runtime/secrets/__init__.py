"""Finds secrets in what stages print, in all their forms."""
