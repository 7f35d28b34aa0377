"""The outbox: every mail that goes out."""
