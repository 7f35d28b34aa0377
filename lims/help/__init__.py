"""A help page for each screen, and the five-minute tour."""
