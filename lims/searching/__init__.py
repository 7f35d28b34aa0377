"""Search over everything that has a code or a name: the index, kept by the database itself, and the questions to it."""
