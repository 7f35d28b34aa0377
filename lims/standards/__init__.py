"""The rules of the bench: pure functions in Decimal, one for a clause. Imports nothing of the application."""
