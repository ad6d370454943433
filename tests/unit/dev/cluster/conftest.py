"""Folders of the test's own."""

from specs.layouts import elsewhere

__all__ = ["elsewhere"]
