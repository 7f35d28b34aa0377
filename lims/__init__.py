"""Laboratory information system for the concrete trials of a cement works."""

__version__ = "0.1.0"
