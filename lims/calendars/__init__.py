"""Calendars at secret addresses, for the phone of who made them."""
