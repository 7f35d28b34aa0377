"""Maintenance of presses, scales, moulds and tanks: what is due and what was done."""
