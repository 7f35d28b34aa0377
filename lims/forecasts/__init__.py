"""Forecasts of the 28-day strength as they are made, stored, shown and judged; the model itself is lims/strength."""
