"""Mix designs, their revisions and what goes into a cubic metre."""
