"""Forecast of strength with age: numpy and scipy only. Imports nothing of the application."""
